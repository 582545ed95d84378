"""What commands are tried on: small pictures, a recipe of one's own, and runs of two steps each."""

import io
import os
import struct
import sys
import zipfile
import zlib
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from reverie.cli.entry import dispatch, guarded

QUICK = ("--steps", "2", "--batch", "8", "--threads", "1", "--device", "cpu", "--precision", "fp32")

GAME = '''"""A game of two players, as a recipe of one's own."""

from functools import partial

import torch
from torch import nn

from reverie.data.views import unit
from reverie.engine.plan import Plan
from reverie.protocols import Loss

DATA = "shapes"
TINY = {}
TARGETS = ()


class Game(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape, count = shape, shape[0] * shape[1] * shape[2]
        self.generator, self.critic = nn.Linear(2, count), nn.Linear(count, 1)
        self.players = {"critic": self.critic, "generator": self.generator}
        self.turns = {"critic": 1, "generator": 1}

    def loss(self, player, batch, noise):
        fake = self.generator(noise.normal("z", (len(batch.x), 2)))
        if player == "generator":
            return Loss(-self.critic(fake).squeeze(1))
        return Loss((self.critic(fake.detach()) - self.critic(batch.x.flatten(1))).squeeze(1))

    def sample(self, n, noise, *, label=None, temperature=1.0):
        return self.generator(temperature * noise.normal("z", (n, 2))).sigmoid().view(n, *self.shape)


def run(data, *, batch: int = 8) -> Plan:
    """The game.

    Args:
        data: shape and classes of the images.
        batch: images a turn.
    """
    model = Game(data.shape)
    adam = partial(torch.optim.Adam, lr=1e-3)
    return Plan(model, unit(), {name: adam for name in model.players}, batch, 1, pictures={"samples": {}})
'''


def png(size=(8, 8), seed: int = 0) -> bytes:
    """A grey picture; ``size`` is width and height."""
    levels = np.random.RandomState(seed).randint(0, 256, size[::-1], np.uint8)
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG")
    return stream.getvalue()


def pictures(folder: Path, n: int = 24, size=(8, 8), seed: int = 0) -> Path:
    """A folder of ``n`` different pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        (folder / f"{i:03d}.png").write_bytes(png(size, seed + i))
    return folder


def vast_png(side: int = 30_000) -> bytes:
    """A few bytes whose header claims a picture of ``side`` x ``side``."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


def fingerprint(folder: Path) -> str:
    """Every name below a folder, and what lies there."""
    whole = sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(str(path.relative_to(folder)).encode() + (path.read_bytes() if path.is_file() else b""))
    return whole.hexdigest()


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def reverie(*words: str) -> int:
    """What the command line does with these words, in this process; its exit code."""
    return guarded(lambda: dispatch(list(words)))


@contextmanager
def quietly():
    """Standard output and error go nowhere."""
    with open(os.devnull, "w") as nowhere:
        kept = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = nowhere
        try:
            yield
        finally:
            sys.stdout, sys.stderr = kept


USUAL = ("vae", "plain", "narrow", "game", "told")
WORDS = "to be, or not to be: that is the question.\nwhether 'tis nobler in the mind to suffer\n" * 12


def make_runs(home: Path, only: tuple[str, ...] = USUAL) -> Path:
    """Runs: ``vae`` with classes, ``plain`` without a density, ``narrow`` of one number, a ``game``, and ``told``.

    ``told`` is a conditional model, which is told the class of each image. Where it is asked for, there is also
    ``words``, a language model.
    """
    runs, flat = home / "runs", pictures(home / "flat")
    for label in ("dark", "light"):
        pictures(home / "classes" / label, 16, seed=len(label))
    (home / "game.py").write_text(GAME)
    (home / "words.txt").write_text(WORDS)
    for name, recipe, data, more in (
        ("vae", "vae-mlp", home / "classes", ("--hidden", "8", "--latent", "2")),
        ("plain", "ae-mlp", flat, ("--hidden", "8", "--latent", "2")),
        ("narrow", "vae-fashion", flat, ("--hidden", "8", "--latent", "1")),
        ("game", str(home / "game.py"), flat, ()),
        ("told", "vae-conditional", home / "classes", ("--latent", "2")),
        ("words", "text-char", home / "words.txt", ("--embedding", "4", "--units", "8", "--window", "8")),
    ):
        if name not in only:
            continue
        with quietly():
            code = reverie("train", recipe, "--data", str(data), "--runs", str(runs), "--name", name, *QUICK, *more)
        if code:
            raise RuntimeError(f"the run {name} ended with {code}")
    return runs
