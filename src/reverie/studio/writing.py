"""What a language model does for the page that writes: it goes on, says what may come next, and is surprised.

Text is sent as it comes, a line of JSON at a time: ``{"prompt", "note"}``, then ``{"symbols": [...]}`` again and again,
each symbol with its text, the model's own probability and the one that it was drawn with; at last ``{"end"}`` or
``{"error"}``. It is the text that ``reverie generate`` writes with the same numbers.
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from reverie.actions import of_text
from reverie.actions.of_text import Speech
from reverie.data.prompts import encode_prompt
from reverie.errors import ReverieError, UsageError
from reverie.report import table
from reverie.runs import Run
from reverie.studio.desk import Desk
from reverie.text.generation import read, without
from reverie.text.measures import Passage, evaluate_baselines
from reverie.text.sampling import Choice, log_odds
from reverie.text.streaming import Stream
from reverie.written import Voice

MOST = 5000  # symbols of one writing
LONGEST = 60.0  # seconds of it, and of anything else that is asked
TURN = 0.04  # seconds of symbols in one line
READ = 20_000  # characters of a prompt, or of a text that is scored
NEXT = 24  # of the likeliest next symbols that are named
NUMBERS = {"length": int, "temperature": float, "top_k": int, "top_p": float, "min_p": float, "seed": int}


@dataclass(frozen=True)
class Writer:
    """A language model with its run."""

    run: Run
    voice: Voice

    @classmethod
    def of(cls, run: Run) -> "Writer":
        """The writer of a run.

        Raises:
            UsageError: it is not a model of text.
        """
        return cls(run, run.voice)

    def about(self) -> dict[str, Any]:
        """What the page must know."""
        data = self.run.record["data"]
        return {
            "name": self.run.name,
            "recipe": self.run.config["recipe"],
            "data": data["name"],
            "symbols": self.voice.tokenizer.kind,
            "vocabulary": len(self.voice.tokenizer),
            "beginning": self.voice.tokenizer.decode(of_text.start_of(self.voice.tokenizer)),
            "most": MOST,
        }

    def begin(self, wish: Mapping[str, Any]) -> Speech:
        """Go on with a prompt; nothing is drawn yet.

        Raises:
            UsageError: the prompt is no text, or a number lies outside its range.
        """
        numbers = {name: value for name, value in wish.items() if name != "prompt" and value is not None}
        return of_text.speak(self.voice, _text(wish, "prompt"), of_text.wish_of(**_checked(numbers)))

    def next(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """The likeliest symbols after a text: each with its text, the model's probability, and that of a draw.

        Raises:
            UsageError: it is no text, or a number lies outside its range.
        """
        numbers = _checked({name: value for name, value in wish.items() if name != "text" and value is not None})
        choice = Choice(
            **{name: numbers[name] for name in ("temperature", "top_k", "top_p", "min_p") if name in numbers}
        )
        tokenizer = self.voice.tokenizer
        before = of_text.start_of(tokenizer, encode_prompt(tokenizer, _text(wish, "text"))[0])
        logits, _ = read(self.voice.generator, before, 1)
        own = logits.double().softmax(-1)[0]
        drawn = log_odds(without(logits, tokenizer.unknown), choice).softmax(-1)[0]
        names = tokenizer.symbols
        likeliest = own.argsort(descending=True, stable=True)[:NEXT].tolist()
        return {
            "next": [
                {
                    "symbol": names[token],
                    "text": Stream(tokenizer, before, ()).add(token),
                    "probability": float(own[token]),
                    "chance": float(drawn[token]),
                }
                for token in likeliest
                if token != tokenizer.unknown
            ]
        }

    def surprise(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Each symbol of a text with its bits, and the figures of all, as ``reverie score`` says them.

        Raises:
            ReverieError: it is no text, has fewer than two symbols, or takes too long.
        """
        end = time.monotonic() + LONGEST
        cells, figures = of_text.surprised(
            self.voice, _text(wish, "text"), name="pasted", should_stop=lambda: time.monotonic() > end
        )
        rows = [figure.to_json() for figure in figures]
        return {
            "cells": [[cell.text, cell.bits] for cell in cells],
            "figures": [{**row, "words": table.amount(row)} for row in rows],
            "protocol": table.words(table.shared(rows)),
        }

    def beside(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """What counting the training text and xz make of a text, in bits per character.

        Raises:
            ReverieError: it is no text, or the training text is not there any more.
        """
        data, voice = self.run.written.data, self.voice
        passage = Passage.of(_text(wish, "text"), voice.tokenizer)
        figures = evaluate_baselines(
            data.ids["train"], data.parts["train"], passage, len(voice.tokenizer), protocol={"text": "pasted"}
        )
        rows = [figure.to_json() for figure in figures if figure.name.endswith("bits_per_character")]
        return {
            "figures": [{**row, "words": table.amount(row), "remark": table.words(row["protocol"])} for row in rows]
        }


async def lines(pen: Desk[Writer], speech: Speech) -> AsyncIterator[bytes]:
    """A text as it comes: until its length, or for so many seconds.

    Args:
        pen: computes.
        speech: what is begun.
    """
    yield _line({"prompt": speech.prompt, "note": speech.note})
    end = time.monotonic() + LONGEST
    try:
        while found := await pen.then(partial(_some, speech)):
            yield _line({"symbols": found})
            if time.monotonic() > end:
                yield _line({"end": f"It was stopped after {LONGEST:g} seconds."})
                return
        yield _line({"end": ""})
    except ReverieError as error:
        yield _line({"error": str(error)})


def _some(speech: Speech) -> list[list[Any]]:
    """The symbols of a few hundredths of a second, at least one; none at the end."""
    found: list[list[Any]] = []
    end = time.monotonic() + TURN
    for piece in speech:
        found.append([piece.text, piece.probability, piece.chance])
        if time.monotonic() > end:
            break
    return found


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _text(wish: Mapping[str, Any], name: str) -> str:
    text = wish.get(name, "")
    if not isinstance(text, str):
        raise UsageError(f"The {name} must be a text.")
    if len(text) > READ:
        raise UsageError(f"The {name} may have {READ:,} characters; it has {len(text):,}.")
    return text


def _checked(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a wish: known, of their types, and not too many symbols."""
    if wrong := [name for name, value in numbers.items() if not _fits(value, NUMBERS.get(name))]:
        raise UsageError(f"{', '.join(wrong)}: give numbers, and no others than {', '.join(NUMBERS)}.")
    if numbers.get("length", 0) > MOST:
        raise UsageError(f"--length may be {MOST:,} here; got {numbers['length']:,}. Longer texts: reverie generate")
    return dict(numbers)


def _fits(value: object, kind: type | None) -> bool:
    taken = (int, float) if kind is float else (int,)
    return kind is not None and isinstance(value, taken) and not isinstance(value, bool) and abs(value) < 2**63
