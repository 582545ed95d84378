"""``reverie doctor``: what this machine and installation can do."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from reverie import __version__, native
from reverie.data.catalog import CATALOG, availability, cache
from reverie.engine import machine
from reverie.runs import runs_folder

EXTRAS = {  # what a user may install beside the package -> a package that comes with it
    "demo": "mlxtend",
    "parquet": "pyarrow",
    "bpe": "tokenizers",
    "export": "onnxruntime",
    "hub": "huggingface-hub",
    "studio": "starlette",
}


def findings() -> dict[str, str]:
    """What there is, by name, in words."""
    device = machine.pick_device("auto")
    here = [name for name, entry in CATALOG.items() if availability(entry) not in ("to fetch", "not here")]
    return {
        "reverie": __version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "torch": torch.__version__,
        "device": machine.describe(device),
        "threads": f"{machine.free_cores()} free of {machine.allowed_cores()}",
        "kernels": f"of one's own, {native.version()}" if native.available() else f"torch's: {native.missing()}",
        "bf16": "fast" if machine.has_fast_bf16(device) else "not faster than fp32 here",
        "runs": str(runs_folder().resolve()),
        "cache": str(cache()),
        "data here": ", ".join(here) or "none",
        **{f"[{extra}]": _installed(extra, package) for extra, package in EXTRAS.items()},
    }


def _installed(extra: str, package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"not installed: pip install 'reverie[{extra}]'"
