"""Front-end files of others: brought by ``npm pack`` once, held against ``lock.json``, kept in the cache.

They are not a part of the package. ``python -m reverie.web.fetch`` brings them ahead of time.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

from reverie.data.catalog import cache
from reverie.errors import DataError, ReverieError
from reverie.files import write

LARGEST = 64_000_000  # bytes of a file in a package
SECONDS = 300.0  # that npm may take


def lock() -> dict[str, dict[str, Any]]:
    """Package, version, integrity, licence, and the sha256 of each file that is used."""
    pinned: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "lock.json").read_text(encoding="utf-8"))
    return pinned


def content(package: str, name: str) -> bytes:
    """A pinned file, from the cache or else from npm.

    Raises:
        DataError: it is neither there nor to be had, or is not the file that was pinned.
    """
    pinned = lock()[package]
    path = place(package) / name
    if not path.is_file():
        fetch(package)
    found = path.read_bytes()
    if sha256(found).hexdigest() != pinned["files"][name]:
        raise DataError(f"{path} is not the file that was pinned; remove it, and it is fetched again.")
    return found


def place(package: str) -> Path:
    """Where the files of a package are kept."""
    return cache() / "web" / f"{package}-{lock()[package]['version']}"


def fetch(package: str) -> Path:
    """Bring a package's files into the cache.

    Returns:
        The folder.

    Raises:
        DataError: there is no npm or no network, or what came is not what was pinned.
    """
    pinned = lock()[package]
    named = f"{package}@{pinned['version']}"
    for name, data in _members(_packed(named, pinned["integrity"]), pinned["files"]).items():
        write(place(package) / name, data)
    return place(package)


def _packed(named: str, integrity: str) -> bytes:
    """The package's archive, as npm packs it, with the integrity that was pinned."""
    npm = shutil.which("npm")
    if os.environ.get("REVERIE_OFFLINE", "0") not in ("", "0"):
        raise DataError(f"This needs {named}, which is not here, and REVERIE_OFFLINE is set. {_by_hand()}")
    if npm is None:
        raise DataError(f"This needs {named}, which npm brings: install Node.js, which has npm. {_by_hand()}")
    with tempfile.TemporaryDirectory() as folder:
        words = [npm, "pack", named, "--ignore-scripts", "--silent", "--pack-destination", folder]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=folder)
        except subprocess.TimeoutExpired as error:
            raise DataError(f"npm did not bring {named} in {SECONDS:g} seconds; try again.") from error
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            said = " ".join(done.stderr.split())[:300]
            raise DataError(f"npm did not bring {named}: {said or 'it said nothing'}. {_by_hand()}")
        data = archives[0].read_bytes()
    if f"sha512-{base64.b64encode(sha512(data).digest()).decode()}" != integrity:
        raise DataError(f"{named} has another integrity than the one that was pinned; nothing of it was kept.")
    return data


def _by_hand() -> str:
    return f"Or copy the folder {cache() / 'web'} from a machine that has it."


def _members(archive: bytes, files: dict[str, str]) -> dict[str, bytes]:
    """The files that are used, by their names, each with the sha256 that was pinned."""
    found = {}
    with tempfile.TemporaryFile() as stream:
        stream.write(archive)
        stream.seek(0)
        with tarfile.open(fileobj=stream, mode="r:gz") as tar:
            for name, wanted in files.items():
                member = tar.getmember(f"package/dist/{name}")
                reader = tar.extractfile(member)
                data = reader.read(LARGEST) if reader is not None else b""
                if sha256(data).hexdigest() != wanted:
                    raise ReverieError(f"{name} has another sha256 than the one that was pinned.")
                found[name] = data
    return found


def main() -> int:
    """Bring all packages; the exit code."""
    try:
        for package in lock():
            print(fetch(package))
    except ReverieError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
