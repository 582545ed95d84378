"""Generation with a carried state beside computing a window anew for each symbol, as the classic example does.

    python benchmarks/speech.py
    python benchmarks/speech.py --render        # the table of docs/text-evaluation.md from results.jsonl

Symbols per second of processor time, one thread, one sample, for one LSTM layer of several sizes: with the state
carried, and with the last 40 symbols read again for each.
"""

import argparse
import time

import torch

from record import keep, put, rows, table
from reverie.data.tokenizers import Characters
from reverie.models.language import LanguageModel
from reverie.nn.recurrent import stack
from reverie.text.generation import Wish, generate

SYMBOLS = Characters([chr(33 + i) for i in range(65)])
WINDOW = 40
HEAD = ["units of the LSTM", "state carried", f"last {WINDOW} symbols read again", "times"]


class Anew(torch.nn.Module):
    """The same model without a memory: its state is the last symbols."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def step(self, token, state):
        seen = token[:, None] if state is None else torch.cat([state, token[:, None]], 1)[:, -WINDOW:]
        return self.model(seen)[0][:, -1], seen


def rate(model, length: int) -> float:
    """Symbols per second of processor time, after a window's worth to warm up."""
    pieces = generate(model, SYMBOLS, [1], Wish(length=length + WINDOW))
    for _ in range(WINDOW):
        next(pieces)
    began = time.process_time()
    count = sum(1 for _ in pieces)
    return count / (time.process_time() - began)


def rates(units: int) -> tuple[float, float]:
    """Of one layer: with the state carried, and anew."""
    model = LanguageModel(len(SYMBOLS), 64, stack("lstm", 64, (units,)))
    return rate(model, 2000), rate(Anew(model), 200)


def render() -> None:
    """Put the newest figures into docs/text-evaluation.md."""
    found = [row["rates"] for row in rows("speech")[-1:]]
    lines = [
        [units, f"{carried:,.0f}", f"{anew:,.0f}", f"{carried / anew:.1f}"]
        for rates in found
        for units, (carried, anew) in rates.items()
    ]
    put("text-evaluation.md", "speech", table(HEAD, lines))


def main() -> None:
    """Measure, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--render", action="store_true", help="only put the table into docs/text-evaluation.md")
    if not parser.parse_args().render:
        torch.set_num_threads(1)
        keep("speech", rates={str(units): rates(units) for units in (128, 256, 512)})
    render()


if __name__ == "__main__":
    main()
