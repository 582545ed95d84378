"""Files of others: only those that were pinned get in, and what is missing is said."""

import base64
import io
import os
import tarfile
from hashlib import sha256, sha512

import pytest

from reverie.errors import DataError, ReverieError
from reverie.web import fetch


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A stand-in for npm that packs what lies in a file, and a lock for it."""
    archive = tmp_path / "archive.tgz"
    archive.write_bytes(packed({"a.js": b"export const a = 1;", "other.js": b"not asked for"}))
    tool = tmp_path / "bin" / "npm"
    tool.parent.mkdir()
    tool.write_text(
        f'#!/bin/sh\nwhile [ "$1" != "--pack-destination" ]; do shift; done\ncp {archive} "$2/a-1.2.3.tgz"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REVERIE_OFFLINE", "0")
    integrity = "sha512-" + base64.b64encode(sha512(archive.read_bytes()).digest()).decode()
    files = {"a.js": sha256(b"export const a = 1;").hexdigest()}
    pinned = {"a": {"version": "1.2.3", "license": "MIT", "integrity": integrity, "files": files}}
    monkeypatch.setattr(fetch, "lock", lambda: pinned)
    return tool, pinned["a"]


def test_what_was_pinned_is_brought_once_and_kept(npm):
    tool, _ = npm
    assert fetch.content("a", "a.js") == b"export const a = 1;"
    assert [path.name for path in fetch.place("a").iterdir()] == ["a.js"]
    tool.unlink()
    assert fetch.content("a", "a.js") == b"export const a = 1;"


def test_another_archive_is_not_kept(npm):
    _, pinned = npm
    pinned["integrity"] = "sha512-" + base64.b64encode(bytes(64)).decode()
    with pytest.raises(DataError, match="another integrity"):
        fetch.content("a", "a.js")
    assert not fetch.place("a").exists()


def test_another_file_is_not_kept(npm):
    _, pinned = npm
    pinned["files"]["a.js"] = sha256(b"something else").hexdigest()
    with pytest.raises(ReverieError, match=r"a\.js has another sha256"):
        fetch.content("a", "a.js")
    assert not fetch.place("a").exists()


def test_a_file_that_was_changed_in_the_cache_is_refused(npm):
    fetch.fetch("a")
    (fetch.place("a") / "a.js").write_text("export const a = 2;")
    with pytest.raises(DataError, match="is not the file that was pinned; remove it"):
        fetch.content("a", "a.js")


def test_without_npm_it_says_what_to_install(npm, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DataError, match=r"a@1\.2\.3, which npm brings: install Node\.js"):
        fetch.content("a", "a.js")


def test_offline_it_says_so(npm, monkeypatch):
    monkeypatch.setenv("REVERIE_OFFLINE", "1")
    with pytest.raises(DataError, match="REVERIE_OFFLINE is set"):
        fetch.content("a", "a.js")


def test_what_npm_says_is_passed_on(npm):
    tool, _ = npm
    tool.write_text("#!/bin/sh\necho no such version >&2\nexit 1\n")
    with pytest.raises(DataError, match="no such version"):
        fetch.content("a", "a.js")


def test_the_lock_pins_a_version_an_integrity_and_every_file():
    for pinned in fetch.lock().values():
        assert pinned["version"].count(".") == 2
        assert len(base64.b64decode(pinned["integrity"].removeprefix("sha512-"))) == 64
        assert pinned["license"]
        assert all(len(digest) == 64 for digest in pinned["files"].values())
