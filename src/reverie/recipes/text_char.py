"""LSTM that learns a text character by character, fast on two processor cores.

Architecture: one LSTM layer over an embedding; a classic after Karpathy 2015, "The unreasonable effectiveness of
recurrent neural networks". One wide layer and small batches, which processors are quick at; the state is carried from
window to window, every position is a target, half of the outputs are dropped (locked: the same units in a window), Adam
with decoupled decay, a rate that falls in a straight line to zero, and averaged weights.
"""

from reverie.arguments import Count, Fraction, Rate, Steps, Weight
from reverie.data.corpus import TextSpec
from reverie.data.pairs import Kind
from reverie.data.streams import Columns
from reverie.engine.plan import Plan, linear
from reverie.models.language import LanguageModel, Restraint
from reverie.nn.recurrent import Cell, stack
from reverie.recipes._parts import adamw

DATA = "tinyshakespeare"
TINY = {"embedding": 4, "units": (8,), "batch": 2, "window": 8}
TARGETS = ()  # the source gives no figure for a split that can be repeated


def run(
    data: TextSpec,
    *,
    cell: Cell = "lstm",
    units: tuple[Count, ...] = (512,),
    embedding: Count = 64,
    tokens: Kind = "characters",
    vocabulary: Steps = 0,
    window: Count = 64,
    batch: Count = 16,
    dropout: Fraction = 0.5,
    recurrent: Fraction = 0.0,
    rate: Rate = 2e-3,
    decay: Weight = 0.01,
    ema: Fraction = 0.999,
    clip: Weight = 1.0,
) -> Plan:
    """The recurrent language model of characters.

    Args:
        data: the text.
        cell: lstm, gru, rnn-tanh, rnn-relu, mingru.
        units: of each layer, as in 512 or 256 256.
        embedding: numbers that stand for a symbol.
        tokens: what a symbol is: characters, bytes, words, bpe.
        vocabulary: symbols at most, the most frequent ones; 0 for all.
        window: symbols that gradients go back through.
        batch: columns of text that are read side by side.
        dropout: share of the outputs of each layer; a fifth of it for the embedding.
        recurrent: share of the recurrent weights that is dropped.
        rate: Adam's, at its peak.
        decay: of the weights, decoupled.
        ema: decay a step of the averaged weights; 0 for none.
        clip: largest norm of the gradient; 0 for no limit.
    """
    tokenizer = data.tokenizer(tokens, vocabulary)
    restraint = Restraint(inputs=dropout / 5, layers=dropout, outputs=dropout, recurrent=recurrent, state=0.01)
    return Plan(
        model=LanguageModel(len(tokenizer), embedding, stack(cell, embedding, units), restraint=restraint),
        view=Columns(tokenizer, window),
        optimizers={"language": adamw(rate, decay)},
        schedule=linear(),
        batch=batch,
        epochs=16,
        ema=ema,
        clip=clip,
        watch=10_000,
    )
