"""The loop of the classic example of a word model, in plain PyTorch: LSTM 200,200 by gradient descent at 20.

Prints the perplexity of the validation part after each epoch, with the state carried over all of it.
"""

import json
import math
import sys

import torch
from torch import nn

from reverie.data.corpus import load_text
from reverie.data.tokenizers import build

BATCH, WINDOW, RATE, CLIP, DROPOUT, SIZE = 20, 35, 20.0, 0.25, 0.2, 200


class Model(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        self.drop = nn.Dropout(DROPOUT)
        self.encoder = nn.Embedding(symbols, SIZE)
        self.rnn = nn.LSTM(SIZE, SIZE, 2, dropout=DROPOUT)
        self.decoder = nn.Linear(SIZE, symbols)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, tokens, state):
        output, state = self.rnn(self.drop(self.encoder(tokens)), state)
        return self.decoder(self.drop(output)), state


def columns(ids, batch):
    return ids[: len(ids) // batch * batch].view(batch, -1).t().contiguous()


def windows(data):
    for i in range(0, len(data) - 1, WINDOW):
        length = min(WINDOW, len(data) - 1 - i)
        yield data[i : i + length], data[i + 1 : i + 1 + length].reshape(-1)


@torch.no_grad()
def perplexity(model, data):
    model.eval()
    total, count, state = 0.0, 0, None
    for x, y in windows(data):
        logits, state = model(x, state)
        total += float(nn.functional.cross_entropy(logits.flatten(0, 1), y, reduction="sum"))
        count += len(y)
    return math.exp(total / count)


def main(name, epochs, seed):
    torch.manual_seed(seed)
    text = load_text(name)
    tokenizer = build("words", [text.parts["train"].decode()])
    ids = {part: torch.as_tensor(text.encoded(tokenizer).ids[part].astype("int64")) for part in ("train", "valid")}
    model, train, valid = Model(len(tokenizer)), columns(ids["train"], BATCH), columns(ids["valid"], 1)
    found = []
    for _ in range(epochs):
        model.train()
        state = None
        for x, y in windows(train):
            state = None if state is None else tuple(each.detach() for each in state)
            model.zero_grad()
            logits, state = model(x, state)
            nn.functional.cross_entropy(logits.flatten(0, 1), y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(parameter.grad, alpha=-RATE)
        found.append(round(perplexity(model, valid), 2))
        print(json.dumps({"perplexities": found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
