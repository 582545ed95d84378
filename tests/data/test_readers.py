"""Every reader gets back the very bytes that were written, whichever way they are packed."""

import gzip
import io
import json
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from reverie.data import load
from reverie.data.arrays import CIFAR_CLASSES
from reverie.data.trees import natural
from reverie.errors import DataError

RANDOM = np.random.RandomState(7)
GREY = RANDOM.randint(0, 256, (20, 5, 6)).astype(np.uint8)
COLOUR = RANDOM.randint(0, 256, (20, 5, 6, 3)).astype(np.uint8)
LABELS = (np.arange(20) % 3).astype(np.uint8)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def png(array, **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", **options)
    return stream.getvalue()


def write(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def together(data):
    """The images in the order of the source: every 10th was put aside for testing."""
    train, test = iter(data.train.pixels), iter(data.test.pixels)
    n = len(data.train) + len(data.test)
    return torch.stack([next(test) if i % 10 == 0 else next(train) for i in range(n)])


def same(pixels, array):
    """Whether tensors (N, C, H, W) hold the array (N, H, W) or (N, H, W, C)."""
    wanted = array[:, None] if array.ndim == 3 else array.transpose(0, 3, 1, 2)
    assert pixels.dtype == torch.uint8
    np.testing.assert_array_equal(pixels.numpy(), wanted)
    return True


def image_files(array, folder=""):
    return {f"{folder}{i}.png": png(x) for i, x in enumerate(array)}


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("array", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_flat_folder_is_sorted_naturally_and_every_tenth_is_test(tmp_path, array):
    data = load(write(tmp_path / "pets", image_files(array)))
    assert same(together(data), array)
    assert (len(data.train), len(data.test), data.name, data.classes) == (18, 2, "pets", ())
    assert data.split == "every 10th image is test, by sorted name"


@pytest.mark.parametrize("pack", [write, zipped, tarred])
def test_a_folder_and_its_archives_are_the_same(tmp_path, pack):
    files = image_files(COLOUR, "a/") | {f"b/{n}": d for n, d in image_files(GREY).items()}
    names = {write: "x", zipped: "x.zip", tarred: "x.tar.gz"}
    data = load(
        pack(
            tmp_path / names[pack],
            {f"wrap/{n}": d for n, d in files.items()} | {"__MACOSX/._1.png": b"no", ".hidden.png": b"no"},
        )
    )
    assert data.classes == ("a", "b")
    assert data.spec.shape == (3, 5, 6)
    assert same(together(data)[:20], COLOUR)
    assert data.train.labels.tolist() == [0] * 18 + [1] * 18


def test_folders_named_by_part_and_label(tmp_path):
    files = {}
    for part, rows in (("train", range(12)), ("validation", range(12, 15)), ("test", range(15, 20))):
        files |= {f"{part}/kind{i % 3 + 9}/{i}.png": png(GREY[i]) for i in rows}
    data = load(write(tmp_path, files))
    assert data.classes == ("kind9", "kind10", "kind11")
    order = [i for label in range(3) for i in range(12) if i % 3 == label]
    assert same(data.train.pixels, GREY[order])
    assert data.train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert data.split == "as given, 12 / 5; 3 other images are left out"


def test_validation_serves_where_there_is_no_test(tmp_path):
    data = load(write(tmp_path, image_files(GREY[:15], "train/") | image_files(GREY[15:], "val/")))
    assert same(data.test.pixels, GREY[15:])


@pytest.mark.parametrize("files", [{"a/1.png", "a/2.png"}, {"a/1.png", "2.png"}, {"a/b/1.png", "c/2.png"}])
def test_no_labels_from_one_folder_or_from_unequal_depths(tmp_path, files):
    assert load(write(tmp_path, {name: png(GREY[0]) for name in files})).train.labels is None


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_labels_from_metadata(tmp_path, kind):
    rows = [{"file_name": f"{i}.png", "label": int(LABELS[i])} for i in range(20)]
    text = "file_name,label\n" + "\n".join(f"{r['file_name']},{r['label']}" for r in rows)
    text = text if kind == "csv" else "\n".join(map(json.dumps, rows))
    data = load(write(tmp_path, image_files(GREY) | {f"metadata.{kind}": text.encode()}))
    assert data.classes == ("0", "1", "2")
    assert data.test.labels.tolist() == [int(LABELS[0]), int(LABELS[10])]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("pack", [write, zipped])
def test_idx_files_under_their_names(tmp_path, suffix, pack):
    press = gzip.compress if suffix else bytes
    files = {
        f"train-images-idx3-ubyte{suffix}": press(idx(GREY)),
        f"train-labels-idx1-ubyte{suffix}": press(idx(LABELS)),
        f"t10k-images-idx3-ubyte{suffix}": press(idx(GREY[::-1].copy())),
        f"t10k-labels-idx1-ubyte{suffix}": press(idx(LABELS[::-1].copy())),
    }
    data = load(pack(tmp_path / ("m.zip" if pack is zipped else "m"), files))
    assert same(data.train.pixels, GREY)
    assert same(data.test.pixels, GREY[::-1])
    assert data.test.labels.tolist() == LABELS[::-1].tolist()
    assert data.classes == ("0", "1", "2")


@pytest.mark.parametrize("name", ["a-idx3-ubyte", "images.idx", "nameless"])
def test_one_idx_file(tmp_path, name):
    (tmp_path / name).write_bytes(idx(GREY))
    assert same(together(load(tmp_path / name)), GREY)


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (GREY, GREY),
        (COLOUR, COLOUR),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR),
        (np.asfortranarray(COLOUR), COLOUR),
        (GREY[..., None], GREY),
        (GREY.astype(">i4"), GREY),
        (GREY / 255, GREY),
        ((GREY / 255).astype(np.float32), GREY),
        (GREY.astype(np.float64), GREY),
        (GREY > 99, (GREY > 99) * np.uint8(255)),
        ((GREY > 99).astype(np.int64), (GREY > 99) * np.uint8(255)),
        (RANDOM.randint(0, 256, (20, 9)), None),
    ],
    ids=[
        "grey",
        "last",
        "first",
        "fortran",
        "one",
        "big-endian",
        "unit",
        "unit32",
        "float",
        "bool",
        "bits",
        "rows",
    ],
)
def test_npy(tmp_path, array, wanted):
    np.save(tmp_path / "x.npy", array)
    wanted = array.reshape(20, 3, 3).astype(np.uint8) if wanted is None else wanted
    assert same(together(load(tmp_path / "x.npy")), wanted)


def test_a_folder_of_npy_files_is_one_category_each(tmp_path):
    data = load(write(tmp_path, {"full_numpy_bitmap_cat.npy": saved(GREY[:9]), "bee.npy": saved(GREY[9:])}))
    assert data.classes == ("bee", "cat")
    assert same(together(data), np.concatenate([GREY[9:], GREY[:9]]))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_by_the_names_of_its_arrays(tmp_path, save):
    path = tmp_path / "x.npz"
    save(path, x_train=GREY, y_train=LABELS, x_test=GREY[:3], y_test=LABELS[:3])
    data = load(path)
    assert same(data.train.pixels, GREY)
    assert same(data.test.pixels, GREY[:3])
    assert data.train.labels.tolist() == LABELS.tolist()
    save(path, Images=COLOUR, labels=LABELS, class_names=np.array(["sun", "moon", "star"]))
    assert load(path).classes == ("sun", "moon", "star")
    assert same(together(load(path)), COLOUR)
    save(path, ant=GREY[:10], bat=GREY[10:])
    assert load(path).classes == ("ant", "bat")
    save(path, ant=GREY)
    assert load(path).classes == ()


def test_one_class_of_a_file_by_its_name(tmp_path):
    """The name stands after the file: parts stay, labels go; an archive of folders has classes too."""
    path, labels = tmp_path / "x.npz", np.arange(20) % 3
    names = np.array(["a", "b", "c d"])
    np.savez(path, x_train=GREY, y_train=labels, x_test=GREY[:6], y_test=labels[:6], classes=names)
    data = load(path / "c d")
    assert (data.name, data.classes, data.train.labels) == ("x-c d", (), None)
    assert same(data.train.pixels, GREY[labels == 2])
    assert same(data.test.pixels, GREY[:6][labels[:6] == 2])
    assert same(load(str(path / "b")).train.pixels, GREY[labels == 1])
    with pytest.raises(DataError, match='has no class "d". Its classes are: a, b, c d'):
        load(path / "d")
    archive = zipped(tmp_path / "y.zip", image_files(COLOUR, "a/") | image_files(GREY, "b/"))
    assert same(together(load(archive / "b")), GREY)
    np.savez(path, images=GREY)
    with pytest.raises(DataError, match='has no class "d". It has no labels'):
        load(path / "d")


@pytest.mark.parametrize("pack", [write, tarred])
def test_cifar_batches(tmp_path, pack):
    images = RANDOM.randint(0, 256, (6, 4, 3, 32, 32)).astype(np.uint8)
    labels = RANDOM.randint(0, 10, (6, 4)).astype(np.uint8)
    files = {
        f"cifar-10-batches-bin/{name}.bin": np.concatenate([labels[i, :, None], images[i].reshape(4, -1)], 1).tobytes()
        for i, name in enumerate(
            ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
        )
    }
    root = pack(tmp_path / ("c.tar.gz" if pack is tarred else "c"), files)
    data = load(root if pack is tarred else root / "cifar-10-batches-bin")
    np.testing.assert_array_equal(data.train.pixels.numpy(), images[:5].reshape(20, 3, 32, 32))
    np.testing.assert_array_equal(data.test.labels.numpy(), labels[5])
    assert data.classes == CIFAR_CLASSES


@pytest.mark.parametrize("cell", ["struct", "binary"])
def test_parquet_with_the_names_that_its_schema_keeps(tmp_path, cell):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    rows = [png(x) for x in COLOUR]
    column = rows if cell == "binary" else [{"bytes": row, "path": None} for row in rows]
    features = {"info": {"features": {"label": {"names": ["cat", "dog", "owl"]}}}}
    table = pyarrow.table({"image": column, "label": LABELS.tolist()}).replace_schema_metadata(
        {"huggingface": json.dumps(features)}
    )
    for part in ("train", "test"):
        parquet.write_table(table, tmp_path / f"{part}-00000-of-00001.parquet")
    data = load(tmp_path)
    assert same(data.test.pixels, COLOUR)
    assert data.classes == ("cat", "dog", "owl")
    assert data.train.labels.tolist() == LABELS.tolist()
    assert same(together(load(tmp_path / "train-00000-of-00001.parquet")), COLOUR)


def test_the_fingerprint_tells_one_pixel_one_label_and_one_shape_apart(tmp_path):
    prints = set()
    other = GREY.copy()
    other[3, 2, 1] ^= 1
    for images, labels in (
        (GREY, LABELS),
        (other, LABELS),
        (GREY, LABELS[::-1]),
        (GREY.reshape(20, 6, 5), LABELS),
    ):
        np.savez(tmp_path / "x.npz", images=images, labels=labels)
        prints.add(load(tmp_path / "x.npz").fingerprint())
    np.savez(tmp_path / "y.npz", images=GREY, labels=LABELS)
    assert len(prints) == 4
    assert load(tmp_path / "y.npz").fingerprint() in prints


def test_names_are_sorted_as_people_do():
    assert sorted(["b2", "b10", "B1", "2", "10", "a" * 9 + "9" * 999], key=natural)[:2] == ["2", "10"]
    assert natural("x2y") < natural("x10")


def test_reading_gives_the_same_twice_and_from_another_order_of_writing(tmp_path):
    files = image_files(COLOUR)
    one = load(write(tmp_path / "a", files))
    two = load(write(tmp_path / "b", dict(reversed(files.items()))))
    assert one.fingerprint() == two.fingerprint()
