"""Recurrent language model of words, as in PyTorch's word-level example.

Architecture: PyTorch's example word_language_model (2017): two layers of 200 units over embeddings of 200, LSTM, GRU
or plain, tied or not, gradient descent at 20 with gradients cut at 0.25, and a rate that goes to a quarter after an
epoch that brought nothing. Differs: the vocabulary is of the training part alone, validation is exact over every word,
each epoch starts at another place of the text, and one row in a hundred forgets its state before a window.
"""

from collections.abc import Iterable
from functools import partial
from typing import Literal

import torch
from torch import nn

from reverie.arguments import Count, Fraction, Positive, Steps, Weight
from reverie.data.corpus import TextSpec
from reverie.data.pairs import Kind
from reverie.data.streams import Columns
from reverie.engine.plan import Plan
from reverie.models.language import LanguageModel, Restraint
from reverie.nn.recurrent import Cell, MinGRU, Recurrent, stack

DATA = "wikitext-2"
TINY = {"embedding": 4, "units": (8,), "batch": 2, "window": 8}
TARGETS = ()  # see the table of text.md


def run(
    data: TextSpec,
    *,
    cell: Cell = "lstm",
    units: tuple[Count, ...] = (200, 200),
    embedding: Count = 200,
    tie: Literal["no", "yes"] = "no",
    tokens: Kind = "words",
    vocabulary: Steps = 0,
    window: Count = 35,
    batch: Count = 20,
    dropout: Fraction = 0.2,
    rate: Positive = 20.0,
    anneal: Fraction = 0.25,
    clip: Weight = 0.25,
) -> Plan:
    """The recurrent language model of words.

    Args:
        data: the text.
        cell: lstm, gru, rnn-tanh, rnn-relu, mingru.
        units: of each layer.
        embedding: numbers that stand for a symbol.
        tie: whether the logits use the embedding, with a projection where the last layer has another size.
        tokens: what a symbol is: characters, bytes, words, bpe.
        vocabulary: symbols at most, the most frequent ones; 0 for all.
        window: symbols that gradients go back through.
        batch: columns of text that are read side by side.
        dropout: share of the embedding and of the outputs of each layer.
        rate: of gradient descent.
        anneal: factor on the rate after an epoch that is no better than the best; 1 for none.
        clip: largest norm of the gradient; 0 for no limit.
    """
    tokenizer = data.tokenizer(tokens, vocabulary)
    restraint = Restraint(inputs=dropout, layers=dropout, outputs=dropout, state=0.01, locked=False)
    layers = stack(cell, embedding, units)
    model = LanguageModel(len(tokenizer), embedding, layers, tie=tie == "yes", restraint=restraint)
    _start(model.embedding, layers)
    return Plan(
        model=model,
        view=Columns(tokenizer, window),
        optimizers={"language": partial(torch.optim.SGD, lr=rate)},
        batch=batch,
        epochs=40,
        anneal=anneal,
        clip=clip,
        watch=1_000_000,
    )


def _start(embedding: nn.Embedding, layers: Iterable[Recurrent | MinGRU]) -> None:
    """The example's narrow uniform ranges: torch's own of recurrent layers, and a tenth for embeddings."""
    nn.init.uniform_(embedding.weight, -0.1, 0.1)
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -(layer.units**-0.5), layer.units**-0.5)
