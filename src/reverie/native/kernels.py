"""From the C files beside this one to a library in the cache, and its functions."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from reverie.data.catalog import cache as cache_folder

HERE = Path(__file__).parent
SETS = ("f", "bw", "dq", "vl", "bf16")  # of AVX-512, which the files are written for
PROCESSOR = ["-mavx2", "-mfma", *(f"-mavx512{name}" for name in SETS)]
FLAGS = ["-O3", "-fopenmp", "-shared", "-fPIC", "-fvisibility=hidden", *PROCESSOR]
SECONDS = 120.0  # that a compiler may take


class Layer(ctypes.Structure):
    """The shape of a layer, as tiles.h has it."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("images", "height", "width", "big", "rows", "columns", "small", "kernel", "stride", "padding")
    ]


class Source(ctypes.Structure):
    """What is read, as tiles.h has it."""

    _fields_ = [
        ("x", ctypes.c_void_p),
        ("gate", ctypes.c_void_p),
        ("slope", ctypes.c_float),
        ("before", ctypes.c_int32),
    ]


class Target(ctypes.Structure):
    """What is written, as tiles.h has it."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("y", "bias", "inner", "more")),
        ("slope", ctypes.c_float),
        ("before", ctypes.c_int32),
        ("sums", ctypes.c_void_p),
    ]


class Dense(ctypes.Structure):
    """The shape of a dense layer, as dense.c has it."""

    _fields_ = [(name, ctypes.c_int64) for name in ("examples", "inputs", "outputs")]


class Given(ctypes.Structure):
    """What a dense layer reads, as dense.c has it."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("x", "gate", "squashed")),
        ("slope", ctypes.c_float),
        ("is_short", ctypes.c_int32),
    ]


class Said(ctypes.Structure):
    """What a dense layer writes, as dense.c has it."""

    _fields_ = [
        ("y", ctypes.c_void_p),
        ("slope", ctypes.c_float),
        *((name, ctypes.c_int32) for name in ("is_wide", "squashes")),
    ]


class Code(ctypes.Structure):
    """Means and log-variances of codes, as gaussians.c has them."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("examples", "dimensions")),
        *((name, ctypes.c_void_p) for name in ("both", "e")),
        ("is_short", ctypes.c_int64),
    ]


class Norm(ctypes.Structure):
    """A batch normalisation, as norms.c has it."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("examples", "features")),
        *((name, ctypes.c_float) for name in ("eps", "moved")),
        *(
            (name, ctypes.c_void_p)
            for name in ("weight", "bias", "mean", "root", "running_mean", "running_variance", "batches")
        ),
    ]


class Gradients(ctypes.Structure):
    """Where the gradients of a dense layer are written, as dense.c has it."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("x", "weight", "bias")]


class Moved(ctypes.Structure):
    """A weight and all that moves with it, as adam.c has it."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weight", "gradient", "mean", "square", "twin")),
        *((name, ctypes.c_int64) for name in ("count", "is_short")),
    ]


class Step(ctypes.Structure):
    """A step of Adam, as adam.c has it."""

    _fields_ = [
        (name, ctypes.c_float) for name in ("scale", "kept", "decay", "first", "second", "rate", "over_root", "eps")
    ]


class Pixels(ctypes.Structure):
    """Fewer and more pixels, as pixels.c has them."""

    _fields_ = [(name, ctypes.c_int64) for name in ("images", "height", "width", "channels", "rows", "columns")]


class Latent(ctypes.Structure):
    """A latent layer, as latent.c has it."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("images", "pixels", "channels")),
        *((name, ctypes.c_void_p) for name in ("prior", "posterior")),
        *((name, ctypes.c_int64) for name in ("prior_step", "posterior_step")),
        ("e", ctypes.c_void_p),
        ("e_row", ctypes.c_int64),
        *((name, ctypes.c_float) for name in ("low", "high")),
    ]


def available() -> bool:
    """Whether this machine has the kernels; the first question compiles them, which takes some seconds."""
    return not missing()


def missing() -> str:
    """Why this machine has no kernels of its own, in words; nothing where it has them."""
    return _built()[1]


def version() -> str:
    """The hash of the kernels; of a machine that has none, whose kernels are used."""
    return _place().stem if available() else "torch's"


def library() -> ctypes.CDLL:
    """The compiled functions.

    Raises:
        RuntimeError: there are none here; ask ``available`` first.
    """
    found, why = _built()
    if found is None:
        raise RuntimeError(f"no kernels of one's own: {why}")
    return found


@cache
def _built() -> tuple[ctypes.CDLL | None, str]:
    if why := next(_obstacles(), ""):
        return None, why
    try:
        return _with_types(_opened(_place())), ""
    except (OSError, subprocess.SubprocessError) as error:
        words = [*str(getattr(error, "stderr", None) or error).strip().splitlines(), repr(error)]
        return None, f"they could not be compiled: {words[0]}"


def _opened(path: Path) -> ctypes.CDLL:
    """What lies at a path; made, or where it cannot be opened made anew."""
    with suppress(OSError):
        return ctypes.CDLL(str(path))
    _compile(path)
    return ctypes.CDLL(str(path))


def _obstacles() -> Iterator[str]:
    if os.environ.get("REVERIE_KERNELS") == "torch":
        yield "REVERIE_KERNELS=torch"
    elif platform.system() != "Linux" or platform.machine() != "x86_64":
        yield "they are for Linux on x86-64"
    elif not torch.cpu.get_capabilities().get("avx512_bf16"):
        yield "the processor has no AVX-512 BF16"
    elif not _compiler():
        yield "there is no C compiler (cc, gcc or clang)"


def _compiler() -> str | None:
    return next(filter(None, map(shutil.which, (os.environ.get("CC") or "cc", "gcc", "clang"))), None)


def _sources() -> list[Path]:
    return sorted([*HERE.glob("*.c"), *HERE.glob("*.h")])


def _place() -> Path:
    """The library of these very sources."""
    content = b"\0".join([" ".join(FLAGS).encode(), *(path.read_bytes() for path in _sources())])
    return cache_folder() / "kernels" / f"{hashlib.sha256(content).hexdigest()[:16]}.so"


def _compile(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [str(source) for source in _sources() if source.suffix == ".c"]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        command = [str(_compiler()), *FLAGS, *files, "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
        made.replace(path)  # whole, whoever else compiles it now


def _with_types(found: ctypes.CDLL) -> ctypes.CDLL:
    layer, source, target = (ctypes.POINTER(kind) for kind in (Layer, Source, Target))
    for way in ("", "winograd_"):
        for product in ("gather", "spread"):
            getattr(found, way + product).argtypes = [layer, source, ctypes.c_void_p, target, ctypes.c_int]
        getattr(found, way + "weigh").argtypes = [layer, source, source, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    found.add_up.argtypes = [ctypes.c_int64, ctypes.c_int64, source, ctypes.c_void_p, ctypes.c_int]
    dense, given = (ctypes.POINTER(kind) for kind in (Dense, Given))
    found.dense.argtypes = [dense, given, *[ctypes.c_void_p] * 2, ctypes.POINTER(Said), ctypes.c_int]
    found.dense_back.argtypes = [dense, given, given, ctypes.c_void_p, ctypes.POINTER(Gradients), ctypes.c_int]
    code, some, many = ctypes.POINTER(Code), [ctypes.c_void_p] * 2, [ctypes.c_int64] * 2
    found.code_draw.argtypes = [code, *some, ctypes.c_int]
    found.code_back.argtypes = [code, *some, ctypes.c_void_p, ctypes.c_int]
    found.distances.argtypes = [*some, *many, ctypes.c_void_p, ctypes.c_int]
    found.distances_back.argtypes = [*some, *many, *some, ctypes.c_int]
    for name in ("code_draw", "code_back", "distances", "distances_back"):
        getattr(found, name).restype = None
    found.norm.argtypes = [ctypes.POINTER(Norm), *[ctypes.c_void_p] * 2, ctypes.c_int]
    found.norm_back.argtypes = [ctypes.POINTER(Norm), *[ctypes.c_void_p] * 5, ctypes.c_int]
    found.dense.restype = found.dense_back.restype = found.norm.restype = found.norm_back.restype = None
    latent = ctypes.POINTER(Latent)
    found.latent_draw.argtypes = [latent, *[ctypes.c_void_p] * 2, ctypes.c_int]
    found.latent_back.argtypes = [latent, *[ctypes.c_void_p] * 4, ctypes.c_int]
    pixels = ctypes.POINTER(Pixels)
    found.shuffle.argtypes = [pixels, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    found.squares.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int]
    found.squares.restype = ctypes.c_double
    found.adam.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(Step), ctypes.c_int]
    found.adam.restype = None
    for name in ("gather", "spread", "weigh", "winograd_gather", "winograd_spread", "winograd_weigh", "add_up"):
        getattr(found, name).restype = None
    found.latent_draw.restype = found.latent_back.restype = found.shuffle.restype = None
    return found
