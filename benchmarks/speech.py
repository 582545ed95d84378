"""Generation with a carried state beside computing a window anew for each symbol, as the classic example does.

    python benchmarks/speech.py

Prints symbols per second of processor time, one thread, one sample, for one LSTM layer of several sizes: with the state
carried, and with the last 40 symbols read again for each.
"""

import time

import torch

from reverie.data.tokenizers import Characters
from reverie.models.language import LanguageModel
from reverie.nn.recurrent import stack
from reverie.text.generation import Wish, generate

SYMBOLS = Characters([chr(33 + i) for i in range(65)])
WINDOW = 40


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


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    print("units  carried  anew  times")
    for units in (128, 256, 512):
        model = LanguageModel(len(SYMBOLS), 64, stack("lstm", 64, (units,)))
        carried, anew = rate(model, 2000), rate(Anew(model), 200)
        print(f"{units:5}  {carried:7,.0f}  {anew:4,.0f}  {carried / anew:5.1f}", flush=True)


if __name__ == "__main__":
    main()
