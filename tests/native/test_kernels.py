"""How the kernels come to be there, and what is said where they are not."""

import pytest

from reverie.native import kernels


@pytest.fixture
def anew(monkeypatch, tmp_path):
    """Asks again, with an empty cache."""
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    return kernels._built.__wrapped__


needed = pytest.mark.skipif(not kernels.available(), reason=f"no kernels of one's own: {kernels.missing()}")


@needed
def test_they_are_compiled_once_and_found_again(anew, monkeypatch, tmp_path):
    first, why = anew()
    assert first is not None
    assert why == ""
    assert [path.suffix for path in (tmp_path / "cache" / "kernels").iterdir()] == [".so"]
    monkeypatch.setattr(kernels, "_compile", lambda path: pytest.fail("compiled twice"))
    assert anew()[0] is not None


@needed
def test_other_sources_are_another_library(monkeypatch):
    place = kernels._place()
    monkeypatch.setattr(kernels, "FLAGS", [*kernels.FLAGS, "-g"])
    assert kernels._place() != place


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.setenv("REVERIE_KERNELS", "torch"), "REVERIE_KERNELS=torch"),
        (lambda m: m.setattr(kernels.platform, "system", lambda: "Darwin"), "they are for Linux on x86-64"),
        (lambda m: m.setattr(kernels.torch.cpu, "get_capabilities", dict), "the processor has no AVX-512 BF16"),
    ],
)
def test_a_machine_without_says_why(anew, monkeypatch, change, words):
    change(monkeypatch)
    assert anew() == (None, words)


@needed
def test_no_compiler_is_said(anew, monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert anew() == (None, "there is no C compiler (cc, gcc or clang)")


@needed
def test_a_compiler_that_fails_leaves_nothing_behind(anew, monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'convolve.c:1: error: no' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    assert anew() == (None, "they could not be compiled: convolve.c:1: error: no")
    assert list((tmp_path / "cache" / "kernels").iterdir()) == []


@needed
def test_a_cache_that_cannot_be_written_is_said(anew, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "file"))
    found, why = anew()
    assert found is None
    assert why.startswith("they could not be compiled: ")


@needed
def test_a_library_that_is_broken_is_made_anew(anew):
    path = kernels._place()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no library")
    assert anew()[0] is not None


def test_the_library_is_only_asked_where_there_is_one(monkeypatch):
    monkeypatch.setattr(kernels, "_built", lambda: (None, "there is none"))
    assert not kernels.available()
    assert kernels.missing() == "there is none"
    with pytest.raises(RuntimeError, match="there is none"):
        kernels.library()
