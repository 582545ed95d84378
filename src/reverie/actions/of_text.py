"""What a person does with a trained language model: let it speak, score a text, compress one, look for copies.

Pages go to the run's ``pages`` folder, unless ``out`` names a file.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reverie.actions.result import Result
from reverie.data.corpus import TextData
from reverie.data.prompts import encode_prompt
from reverie.data.text import check_utf8, read_text
from reverie.data.tokenizers import Ids, Tokenizer
from reverie.data.trees import read_file
from reverie.errors import ReverieError, UsageError
from reverie.files import write
from reverie.metrics.batches import never
from reverie.metrics.figures import Figure
from reverie.metrics.language import symbol_nats
from reverie.report import reading
from reverie.text import compression
from reverie.text.copies import Copies
from reverie.text.generation import Piece, Wish, generate
from reverie.text.measures import Passage, context_of, figures_of
from reverie.text.memorisation import memorisation
from reverie.text.sampling import Choice
from reverie.text.streaming import Stream
from reverie.written import Voice

SUFFIX = ".reverie"  # of a compressed text
LISTED = 20  # of the most surprising symbols that a score names
SPOKEN = 10_000  # symbols that copies are looked for in, where no text is given
SHOWN = 20_000  # characters of the held-out text that are scored, where no text is given


@dataclass(frozen=True)
class Speech:
    """Samples as they come.

    Args:
        prompt: as the model reads it.
        note: what of it the model does not know, '' if all is known.
        count: samples.
        pieces: their symbols, drawn when they are asked for.
    """

    prompt: str
    note: str
    count: int
    pieces: Iterator[Piece]

    def __iter__(self) -> Iterator[Piece]:
        """The symbols, place by place."""
        return self.pieces

    def texts(self) -> list[str]:
        """What each sample goes on with, when all are at their end."""
        parts: list[list[str]] = [[] for _ in range(self.count)]
        for piece in self.pieces:
            parts[piece.sample].append(piece.text)
        return ["".join(each) for each in parts]


def wish_of(  # noqa: PLR0913 - each is a choice of its own
    *,
    length: int = 200,
    temperature: float = 0.75,
    top_k: int | None = None,
    top_p: float = 1.0,
    min_p: float = 0.0,
    no_repeat_ngram: int = 0,
    max_copy: int = 0,
    stop: tuple[str, ...] = (),
    seed: int = 0,
    train: Callable[[], Ids] | None = None,
) -> Wish:
    """What text is wanted, from the options of ``generate``.

    Args:
        length: symbols of each sample, at most.
        temperature: 0 takes the likeliest symbol, 1 leaves the model's probabilities alone, more flattens them.
        top_k: only the k likeliest.
        top_p: only the likeliest that reach this probability together.
        min_p: only those with this share of the largest probability.
        no_repeat_ngram: no sequence of so many symbols twice; 0 allows all.
        max_copy: no longer sequence of the training text; 0 allows all.
        stop: strings that end a sample.
        seed: of the noise.
        train: gives the symbols of the training text; asked where copies are limited.

    Raises:
        UsageError: a number lies outside its range.
    """
    choice = Choice(temperature, top_k, top_p, min_p)
    copies = Copies(train()) if max_copy > 0 and train is not None else None
    return Wish(length, choice, no_repeat_ngram, copies, max_copy, tuple(stop), seed)


def speak(voice: Voice, prompt: str = "", wish: Wish | None = None, *, count: int = 1) -> Speech:
    """Go on with a prompt, as a stream; without one, with the beginning of a line.

    Args:
        voice: who speaks.
        prompt: what comes before.
        wish: how much, and how symbols are chosen.
        count: samples.
    """
    ids, note = encode_prompt(voice.tokenizer, prompt)
    start = start_of(voice.tokenizer, ids)
    shown = voice.tokenizer.decode(start) if len(ids) else ""
    return Speech(shown, note, count, generate(voice.generator, voice.tokenizer, start, wish or wish_of(), count=count))


def start_of(tokenizer: Tokenizer, ids: Ids | tuple[()] = ()) -> list[int]:
    """The symbols of a prompt; of an empty one the end of a line, after which a text begins anew.

    Where the vocabulary has none, the first symbol that has a text.
    """
    if len(ids):
        return [int(token) for token in ids]
    ends = [int(token) for token in tokenizer.encode("\n")]
    first = next((i for i in range(len(tokenizer)) if i != tokenizer.unknown), 0)
    return [first] if not ends or tokenizer.unknown in ends else ends


def score(
    voice: Voice, text: str, *, name: str, window: int = 0, out: Path | None = None,
    should_stop: Callable[[], bool] = never,
) -> Result:  # fmt: skip
    """Colour a text by how much each symbol surprises the model.

    Args:
        voice: a language model.
        text: scored.
        name: of the text.
        window: 0 carries the state through the whole text; else it is forgotten after so many symbols.
        out: a page to write instead of the run's own.
        should_stop: asked now and then.

    Returns:
        The page, the figures of the whole text, the bits of each symbol but the first, and the most surprising ones.
    """
    cells, figures = surprised(voice, text, name=name, window=window, should_stop=should_stop)
    bits = [cell.bits for cell in cells[1:] if cell.bits is not None]
    page = reading.write_surprise(
        _page(voice, "score", out),
        cells,
        title=f"How {name} surprises {voice.name}",
        lead=f"Bits that each of its {voice.tokenizer.kind} cost, given what is before it.",
        figures=[figure.to_json() for figure in figures],
    )
    order = torch.tensor(bits).argsort(descending=True, stable=True)[:LISTED].tolist()
    worst = [{"place": i + 1, "text": cells[i + 1].text, "bits": bits[i]} for i in order]
    return Result([page], figures=figures, values={"bits": bits, "most_surprising": worst})


def surprised(
    voice: Voice, text: str, *, name: str, window: int = 0, should_stop: Callable[[], bool] = never
) -> tuple[list[reading.Cell], list[Figure]]:
    """Each symbol of a text with its surprise in bits, and the figures of all; see ``score``.

    Args:
        voice: a language model.
        text: scored.
        name: of the text.
        window: 0 carries the state through the whole text; else it is forgotten after so many symbols.
        should_stop: asked now and then.
    """
    passage = Passage.of(text, voice.tokenizer)
    nats = symbol_nats(voice.model, passage.ids, window=window, should_stop=should_stop)
    known: dict[str, Any] = {"text": name, "symbols": voice.tokenizer.kind, "context": context_of(window)}
    if unknown := unknown_of(voice.tokenizer, passage):
        known["unknown"] = unknown
    bits = [None, *(nats / math.log(2)).tolist()]
    cells = [reading.Cell(part, b) for part, b in zip(_texts(passage, voice.tokenizer), bits, strict=True)]
    return cells, figures_of(float(nats.sum()), passage.counts, "", known)


def unknown_of(tokenizer: Tokenizer, passage: Passage) -> str:
    """How much of a text the vocabulary does not know, in words; '' if nothing."""
    count = 0 if tokenizer.unknown is None else int((passage.ids[1:] == tokenizer.unknown).sum())
    return f"{count:,} symbols scored as <unk>, whose spelling costs nothing" if count else ""


def _texts(passage: Passage, tokenizer: Tokenizer) -> list[str]:
    """What each symbol of a passage stands for; a character of several symbols stands at its last."""
    if len(passage.text) == len(passage.ids):
        return list(passage.text)
    stream = Stream(tokenizer, [], ())
    parts = [stream.add(token) for token in passage.ids.tolist()]
    return [*parts[:-1], parts[-1] + stream.flush()]


def compress(voice: Voice, source: Path, *, out: Path | None = None, should_stop: Callable[[], bool] = never) -> Result:
    """Compress a text file with the model; ``restore`` brings it back with the same run.

    Args:
        voice: a finished language model.
        source: a file in UTF-8.
        out: the file to write; by default the source's name with ``.reverie``.
        should_stop: asked now and then.
    """
    content = read_file(source)
    check_utf8(content, str(source))
    place = _free(out, source.with_name(source.name + SUFFIX))
    packed = compression.compress(voice.generator, voice.tokenizer, content.decode(), voice.sha256(), should_stop)
    body = len(compression.parts(packed)[1])
    values = {"text_bytes": len(content), "compressed_bytes": len(packed), "coded_bytes": body}
    values["bits_per_byte"] = 8 * body / max(1, len(content))  # type: ignore[assignment]
    return Result([_written(place, packed)], values=values)


def restore(voice: Voice, source: Path, *, out: Path | None = None, should_stop: Callable[[], bool] = never) -> Result:
    """Bring a compressed text back.

    Args:
        voice: the language model that compressed it.
        source: what ``compress`` wrote.
        out: the file to write; by default the source's name without ``.reverie``.
        should_stop: asked now and then.
    """
    usual = source.with_suffix("") if source.suffix == SUFFIX else source.with_name(source.name + ".txt")
    place = _free(out, usual)
    text = compression.restore(voice.generator, voice.tokenizer, read_file(source), voice.sha256(), should_stop)
    content = text.encode()
    return Result([_written(place, content)], values={"text_bytes": len(content)})


def copies(voice: Voice, data: TextData, text: str, *, name: str, out: Path | None = None) -> Result:
    """Mark what of a text stands in the training text, beside what a held-out text shares with it by chance.

    Args:
        voice: the language model.
        data: its training and held-out text.
        text: looked through.
        name: of the text.
        out: a page to write instead of the run's own.
    """
    train, held_out = (data.parts[part].decode() for part in ("train", "valid"))
    report = memorisation(text, Copies.of_text(train), held_out).to_json()
    page = reading.write_copies(
        _page(voice, "copies", out),
        text,
        [reading.Mark(span["start"], span["length"], span["source"]) for span in report["spans"]],
        title=f"What {name} copies",
        lead=f"{len(text):,} characters, held against the {len(train):,} that {voice.name} was trained on.",
        report=report,
    )
    return Result([page], values=report)


def read_source(source: str | Path) -> tuple[str, str]:
    """A text and its name.

    Raises:
        DataError: it cannot be read.
    """
    return read_text(source), Path(source).name


def _page(voice: Voice, name: str, out: Path | None) -> Path:
    if out is not None and out.suffix.lower() != ".html":
        raise UsageError(f"--out {out}: a page is written as HTML; give a name that ends in .html")
    return out or voice.folder / "pages" / f"{name}.html"


def _free(out: Path | None, usual: Path) -> Path:
    """Where a person wants a file; the usual place only if nothing is there."""
    if out is None and usual.exists():
        raise UsageError(f"{usual} is there already; name another file with --out.")
    return out or usual


def _written(place: Path, content: bytes) -> Path:
    try:
        return write(place, content)
    except ReverieError as error:
        raise UsageError(f"--out {place} cannot be written; choose another place.") from error
