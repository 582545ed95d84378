"""Hostile and broken sources: each ends in one message that says what is wrong, never in a "
"traceback or a hang."""

import contextlib
import gzip
import io
import shutil
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from reverie.data import inspect, limits, load, read_text
from reverie.data.arrays import parse_idx, parse_npy
from reverie.data.limits import gunzip
from reverie.data.pictures import decode, strict_pillow
from reverie.errors import DataError


def png(height=4, width=4, value=90):
    stream = io.BytesIO()
    Image.new("L", (width, height), value).save(stream, "PNG")
    return stream.getvalue()


def bomb(side):
    """A PNG whose header claims side x side pixels."""
    header = struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png()[33:]


def npy(shape, data=b"", dtype="<f8"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def zipped(*members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


def encrypted():
    data = bytearray(zipped(("a.png", png()), ("b.png", png())))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def tarred(name, kind=tarfile.REGTYPE):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    return stream.getvalue()


def idx(*shape, data=b""):
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data


GOOD = {"a.png": png(), "b.png": png()}
TABLE = {
    # name of the case: (files or one file, words that the message must have)
    "nothing there": ("missing.zip", "there is no file, folder or data set"),
    "a name that is nearly right": ("fashon-mnist", 'Did you mean "fashion-mnist"'),
    "a zero byte in the name": ("a\0b", r"there is no file, folder or data set a\\x00b"),
    "an empty folder": ({}, "is empty"),
    "a folder of other files": ({"a.exe": b"MZ", "b.dll": b"MZ"}, "holds no images.*Accepted are"),
    "a folder of text": ({"a.txt": b"hello"}, "is text, and an image recipe wants images"),
    "a text": ({"one": ("a.txt", b"hello")}, "is text, and an image recipe wants images"),
    "a gzipped text": ({"one": ("a.txt.gz", gzip.compress(b"hello"))}, "is text"),
    "a named text": ("tinyshakespeare", "is text, and an image recipe wants images"),
    "one image": ({"a.png": png()}, "1 image; at least 2"),
    "a picture": ({"one": ("a.png", png())}, "one image; give a folder"),
    "different sizes": (
        GOOD | {"c.png": png(5, 3)},
        r"a.png is 4 x 4 \(height x width\), c.png is 5 x 3.*--size 28x20",
    ),
    "a bomb": (GOOD | {"c.png": bomb(9000)}, "c.png: has 9000 x 9000 pixels; the limit is 50 million"),
    "a larger bomb": (GOOD | {"c.png": bomb(14000)}, "c.png: has more than 50 million pixels"),
    "a truncated picture": (GOOD | {"c.png": png(64, 64)[:-30]}, "c.png: is broken or cut short"),
    "an empty picture": (GOOD | {"c.png": b""}, "c.png: is empty"),
    "text as a picture": (GOOD | {"c.png": b"hello"}, "c.png: is no image of a known format"),
    "a script as a picture": (
        GOOD | {"c.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"},
        "known format",
    ),
    "a picture of another kind": (
        GOOD | {"c.heic": b"x"},
        "c.heic: .heic is not read; convert it to PNG or JPEG",
    ),
    "metadata without names": (GOOD | {"metadata.csv": b"label\n1\n"}, 'needs a column "file_name"'),
    "metadata of a missing file": (
        GOOD | {"metadata.csv": b"file_name,label\n../x.png,1\n"},
        "names ../x.png, which is not there",
    ),
    "metadata that leaves one out": (
        GOOD | {"metadata.csv": b"file_name,label\na.png,1\n"},
        "b.png has no row",
    ),
    "metadata that is no JSON": (GOOD | {"metadata.jsonl": b"{"}, "cannot be read as jsonl"),
    "a lying npy": ({"one": ("a.npy", npy("(1000000000000,)"))}, "cut short or broken: its header claims"),
    "a negative npy": ({"one": ("a.npy", npy("(-1, 5, 5)"))}, "its shape is"),
    "an empty axis beside an absurd one": ({"one": ("a.npy", npy(f"(0, {10**30})"))}, r"shape is \(0, 10{30}\)"),
    "an npy of 65 axes": ({"one": ("a.npy", npy(str((1,) * 65), bytes(8)))}, "of 65 axes"),
    "truth values as axes": ({"one": ("a.npy", npy("(True, 28, 28)", bytes(8 * 784)))}, r"shape is \(True, 28, 28\)"),
    "empty records in npy": (
        {"one": ("a.npy", npy("(3, 4, 4)", dtype="|V0"))},
        "empty words|Python objects or records",
    ),
    "empty words in npy": ({"one": ("a.npy", npy("(3, 4, 4)", dtype="|S0"))}, "empty words"),
    "an npy that is none": ({"one": ("a.npy", b"hello")}, "its header is broken"),
    "an npy of code": ({"one": ("a.npy", npy("__import__('os').getpid()"))}, "its header is broken"),
    "objects in npy": ({"one": ("a.npy", saved(np.array([{}, 1], object)))}, "holds Python objects"),
    "records in npy": ({"one": ("a.npy", saved(np.zeros(3, "f4,i4")))}, "Python objects or records"),
    "words in npy": ({"one": ("a.npy", saved(np.full((2, 2, 2), "a")))}, "not numbers"),
    "not-a-number in npy": (
        {"one": ("a.npy", saved(np.full((2, 2, 2), np.nan)))},
        "holds values from nan to nan",
    ),
    "negative numbers": (
        {"one": ("a.npy", saved(np.full((2, 2, 2), -1.0)))},
        "from -1.0 to -1.0; expected are 0 to 255",
    ),
    "a vector": ({"one": ("a.npy", saved(np.zeros(7)))}, r"has shape \(7,\); images are expected as"),
    "no images in npy": ({"one": ("a.npy", saved(np.zeros((0, 4, 4))))}, "holds no images"),
    "objects in npz": (
        {"one": ("a.npz", zipped(("images.npy", saved(np.array([{}], object)))))},
        "holds Python objects",
    ),
    "an npz of vectors": (
        {"one": ("a.npz", zipped(("w.npy", saved(np.zeros(3)))))},
        "no array of this .npz file holds images; it has w",
    ),
    "labels that do not match": (
        {"one": ("a.npz", zipped(("x.npy", saved(np.ones((4, 2, 2)))), ("y.npy", saved(np.arange(3)))))},
        "3 labels do not match 4 images",
    ),
    "a zip that is none": ({"one": ("a.zip", b"hello")}, "is broken and cannot be opened"),
    "a truncated zip": ({"one": ("a.zip", zipped(*GOOD.items())[:-30])}, "is broken and cannot be opened"),
    "an empty zip": ({"one": ("a.zip", zipped())}, "is empty"),
    "a zip bomb": (
        {"one": ("a.zip", zipped(("a.bmp", bytes(50_000_000))))},
        "a.bmp unpacks to more than 200 times",
    ),
    "a zip that climbs": (
        {"one": ("a.zip", zipped(("../../a.png", png()), ("b.png", png())))},
        "points outside the archive",
    ),
    "a zip that hides its climb": (
        {"one": ("a.zip", zipped(("a/../../b.png", png())))},
        "points outside the archive",
    ),
    "a zip from the root": ({"one": ("a.zip", zipped(("/etc/a.png", png())))}, "points outside the archive"),
    "a zip from a drive": ({"one": ("a.zip", zipped(("C:\\a.png", png())))}, "points outside the archive"),
    "an encrypted zip": ({"one": ("a.zip", encrypted())}, "is encrypted"),
    "a zip with a broken member": (
        {"one": ("a.zip", flipped(zipped(*GOOD.items()), 50))},
        "a.png: cannot be unpacked",
    ),
    "a tar that climbs": ({"one": ("a.tar", tarred("../a.png"))}, "points outside the archive"),
    "a tar with a link": ({"one": ("a.tar", tarred("a.png", tarfile.SYMTYPE))}, "a.png: a link, a device"),
    "a tar that is none": ({"one": ("a.tar", b"hello" * 200)}, "is broken and cannot be opened"),
    "a truncated idx": (
        {"one": ("a.idx", idx(3, 4, 4, data=bytes(47)))},
        "claims 48 bytes of numbers, and 47 bytes follow",
    ),
    "an idx that is too long": ({"one": ("a.idx", idx(3, 4, 4, data=bytes(49)))}, "claims 48 bytes"),
    "a lying idx": ({"one": ("a.idx", idx(2**31, 2**31, 2**31))}, "cut short or broken"),
    "an idx of nothing": ({"one": ("a.idx", idx(0, 2**32 - 1, 2**32 - 1))}, r"shape is \(0, 4294967295, 4294967295\)"),
    "an idx of labels": ({"one": ("a.idx", idx(5, data=bytes(5)))}, "as labels are; give the file of images"),
    "an idx that is none": ({"one": ("a.idx", b"hello")}, "magic number"),
    "a truncated gzip": (
        {"one": ("a-idx3-ubyte.gz", gzip.compress(idx(2, 2, 2, data=bytes(8)))[:-9])},
        "cut short|not whole gzip",
    ),
    "a gzip bomb": (
        {"one": ("a-idx3-ubyte.gz", gzip.compress(bytes(50_000_000)))},
        "unpacks to more than 200 times",
    ),
    "a truncated batch": ({"data_batch_1.bin": bytes(3072)}, "no multiple of CIFAR-10's 3073"),
    "a batch of another set": (
        {"data_batch_1.bin": b"\x0b" + bytes(3072)},
        "labels must lie between 0 and 9",
    ),
    "a parquet that is none": ({"one": ("a.parquet", b"PAR1hello")}, "no parquet file that can be read"),
    "a kind that is unknown": ({"one": ("a.xyz", b"hello")}, "of no kind that can be read as images"),
}


def placed(root, what):
    if isinstance(what, str):
        return what
    if "one" in what:
        name, data = what["one"]
        (root / name).write_bytes(data)
        return root / name
    folder = root / "folder"
    folder.mkdir()
    for name, data in what.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize(("what", "words"), TABLE.values(), ids=TABLE)
def test_every_bad_source_is_one_clear_message(tmp_path, what, words):
    with pytest.raises(DataError, match=f"(?s){words}") as caught:
        load(placed(tmp_path, what))
    assert caught.value.exit_code == 3
    assert "\0" not in str(caught.value)


def test_all_broken_files_are_named_but_only_ten_are_listed(tmp_path):
    folder = placed(tmp_path, GOOD | {f"bad{i}.png": b"no" for i in range(13)})
    with pytest.raises(DataError) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith(f"13 of 15 files in {folder} cannot be used:")
    assert message.count("is no image") == 10
    assert "and 3 more" in message
    assert f"`reverie data check {folder}`" in message
    report = inspect(folder)
    assert [p.path for p in report.problems] == [f"bad{i}.png" for i in range(13)]
    assert report.count == 2
    assert not report.sound


@pytest.mark.parametrize(
    ("kind", "words"),
    [("file", "outside the folder"), ("folder", "a link to a folder"), ("broken", "leads nowhere")],
)
def test_links_out_of_the_folder_are_refused(tmp_path, kind, words):
    folder = placed(tmp_path, GOOD)
    (tmp_path / "secret.png").write_bytes(png())
    target = {"file": tmp_path / "secret.png", "folder": tmp_path, "broken": folder / "gone.png"}[kind]
    (folder / "link.png").symlink_to(target)
    with pytest.raises(DataError, match=f"link.png: a link.*{words}|link.png: {words}"):
        load(folder)


@pytest.mark.parametrize("read", [load, read_text, inspect])
def test_a_path_that_is_no_path_or_cannot_be_looked_at_is_refused(read, tmp_path, monkeypatch):
    with pytest.raises(DataError, match='xxx..." is too long for a path; a text itself is given with --text'):
        read("x" * 5000)
    folder = placed(tmp_path, GOOD)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.stat", refuse)
        with pytest.raises(DataError, match="folder cannot be read: Permission denied"):
            read(str(folder))
    with monkeypatch.context() as patch:
        patch.setattr("os.scandir", refuse)
        patch.setattr("os.listdir", refuse)
        with pytest.raises(DataError, match="cannot be read: Permission denied"):
            read(str(folder))


@pytest.mark.parametrize("layout", ["folders", "arrays"])
def test_classes_whose_names_are_not_utf_8_have_names_that_can_be_written(layout, tmp_path):
    folder = tmp_path / "x\udce9"
    for name in ("caf\udce9", "tea"):
        (folder / name).mkdir(parents=True)
        for i in range(3):
            (folder / name / f"{i}.png").write_bytes(png(value=i))
        if layout == "arrays":
            shutil.rmtree(folder / name)
            (folder / f"{name}.npy").write_bytes(saved(np.ones((3, 4, 4), np.uint8)))
    data = load(folder)
    assert data.spec.classes == ("caf\\udce9", "tea")
    assert data.name == "x\\udce9"
    data.record()["name"].encode()
    if layout == "folders":
        assert inspect(folder).source.encode()


def test_a_loop_of_links_leads_nowhere(tmp_path):
    folder = placed(tmp_path, GOOD)
    (folder / "x.png").symlink_to("y.png")
    (folder / "y.png").symlink_to("x.png")
    (folder / "z.png").symlink_to(folder / "z.png")
    with pytest.raises(DataError) as caught:
        load(folder)
    assert str(caught.value).count("a link that leads nowhere") == 3


def test_links_within_the_folder_and_to_the_folder_are_followed(tmp_path):
    folder = placed(tmp_path, GOOD)
    (folder / "c.png").symlink_to(folder / "a.png")
    (tmp_path / "door").symlink_to(folder)
    data = load(tmp_path / "door")
    assert len(data.train) + len(data.test) == 3


def test_the_systems_own_files_are_passed_over(tmp_path):
    folder = placed(tmp_path, GOOD | {"Thumbs.db": b"x", ".a.png": b"x", "desktop.ini": b"x"})
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "a.png").write_bytes(b"x")
    assert len(load(folder).train) == 1


def test_every_limit_holds_and_is_named(tmp_path, monkeypatch):
    folder = placed(tmp_path, GOOD)
    monkeypatch.setattr(limits, "DECODED_LIMIT", 31)
    with pytest.raises(DataError, match="more than 31 bytes when decoded.*--size"):
        load(folder)
    monkeypatch.setattr("reverie.data.trees.FILE_LIMIT", 1)
    with pytest.raises(DataError, match="more than 1 files"):
        load(folder)
    with pytest.raises(DataError, match="more than 10 bytes"):
        gunzip(gzip.compress(bytes(11)), "x", limit=10)


def test_gzip_of_several_members_is_read_whole():
    assert gunzip(gzip.compress(b"a" * 9) + gzip.compress(b"b") + b"\0\0", "x") == b"a" * 9 + b"b"


def test_a_tar_that_is_cut_short_is_never_read_with_fewer_files(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for i in range(20):
            entry, data = tarfile.TarInfo(f"{i}.png"), png(value=i)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    whole, path, read = stream.getvalue(), tmp_path / "a.tar", 0
    for cut in range(512, len(whole) + 1, 512):
        path.write_bytes(whole[:cut])
        with contextlib.suppress(DataError):
            found = load(path)
            assert len(found.train) + len(found.test) == 20
            read += 1
    assert 1 <= read <= (len(whole) - 20 * 1024) // 512


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_gzip_is_fed_in_slices_of_any_size(size, monkeypatch):
    """The decompressor copies what it has not consumed: it never gets more than a slice, or time would be quadratic."""
    parts = [bytes(np.random.default_rng(i).integers(0, 9, 3000, np.uint8)) for i in range(3)]
    packed = b"".join(gzip.compress(part) + bytes(20) for part in (*parts, b""))
    fed, make = [], zlib.decompressobj

    class Engine:
        def __init__(self, **how):
            self.engine = make(**how)

        def decompress(self, data, most):
            fed.append(len(data))
            return self.engine.decompress(data, most)

        def __getattr__(self, name):
            return getattr(self.engine, name)

    monkeypatch.setattr(limits, "_SLICE", size)
    monkeypatch.setattr(limits, "RATIO_FREE", 100)
    monkeypatch.setattr(zlib, "decompressobj", Engine)
    assert gunzip(packed, "x") == b"".join(parts)
    assert max(fed) <= size
    for cut in range(1, len(packed) // 4 - 30, 97):
        with pytest.raises(DataError, match="cut short"):
            gunzip(packed[:cut], "x")
    with pytest.raises(DataError, match="not whole gzip"):
        gunzip(packed + b"rubbish", "x")


FUZZ = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WHOLE_NPY, WHOLE_IDX = saved(np.arange(32, dtype=np.uint8).reshape(2, 4, 4)), idx(2, 4, 4, data=bytes(32))
WHOLE_ZIP, WHOLE_GZIP = zipped(*GOOD.items()), gzip.compress(WHOLE_IDX)


def damaged(whole):
    """Bytes made from good ones: some replaced, and cut anywhere; or arbitrary ones."""

    def damage(edits, cut):
        data = bytearray(whole)
        for place, value in edits:
            data[place % len(data)] = value
        return bytes(data[:cut] if cut else data)

    edits = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6)
    return st.one_of(st.builds(damage, edits, st.integers(0, len(whole))), st.binary(max_size=300))


@FUZZ
@given(damaged(WHOLE_NPY))
def test_fuzzed_npy(data):
    only_data_errors(parse_npy, data, "x")


@FUZZ
@given(st.one_of(damaged(WHOLE_IDX), damaged(WHOLE_GZIP)))
def test_fuzzed_idx(data):
    only_data_errors(parse_idx, data, "x")


@FUZZ
@given(
    data=damaged(WHOLE_ZIP),
    suffix=st.sampled_from([".zip", ".npz", ".tar", ".npy", ".idx", ".parquet", ".bin"]),
)
def test_fuzzed_files(tmp_path, data, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    only_data_errors(load, path)


@FUZZ
@given(damaged(png(9, 7)))
def test_fuzzed_pictures(data):
    with strict_pillow():
        only_data_errors(decode, data)


def only_data_errors(function, *arguments):
    """Whatever else is raised, or warned of, fails the test."""
    with contextlib.suppress(DataError):
        function(*arguments)
