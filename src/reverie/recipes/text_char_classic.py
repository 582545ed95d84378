"""Two LSTM layers on windows that start cold, one target a window, as in the classic examples.

Architecture: the text generator of the TensorFlow.js examples (2018), after the Keras example of 2015: LSTM 128 and
128, RMSprop at 0.01, windows of 60 characters at every third (40 in its page), of which the character after the last is
the only target. Differs: symbols go through an embedding of 64 numbers, where the example has one-hot rows; the text is
split before windows are cut, and the loss is measured over the held-out part, where the example holds out a share of
overlapping windows of the same text, drawn anew each epoch, which is no held-out text; ``aside_loss`` is that figure.
"""

from reverie.arguments import Count, Fraction, Rate, Steps, Weight
from reverie.data.corpus import TextSpec
from reverie.data.pairs import Kind
from reverie.data.streams import Windows
from reverie.engine.plan import Plan
from reverie.models.language import LanguageModel
from reverie.nn.recurrent import Cell, stack
from reverie.recipes._parts import rmsprop

DATA = "tinyshakespeare"
TINY = {"embedding": 4, "units": (8,), "batch": 2, "window": 8, "examples": 20}
TARGETS = ()  # the source states no figure


def run(
    data: TextSpec,
    *,
    cell: Cell = "lstm",
    units: tuple[Count, ...] = (128, 128),
    embedding: Count = 64,
    tokens: Kind = "characters",
    vocabulary: Steps = 0,
    window: Count = 60,
    step: Count = 3,
    examples: Steps = 10_000,
    aside: Fraction = 0.0625,
    batch: Count = 128,
    rate: Rate = 1e-2,
    clip: Weight = 0.0,
) -> Plan:
    """The classic recurrent model of characters.

    Args:
        data: the text.
        cell: lstm, gru, rnn-tanh, rnn-relu, mingru.
        units: of each layer.
        embedding: numbers that stand for a symbol.
        tokens: what a symbol is: characters, bytes, words, bpe.
        vocabulary: symbols at most, the most frequent ones; 0 for all.
        window: symbols that are read before the one that is predicted.
        step: symbols from the start of a window to the next.
        examples: windows of an epoch; 0 for all that there are.
        aside: share of them that the epoch is not trained on but measured on, as the example validates; what it says of
            new text is written beside it.
        batch: windows a step.
        rate: RMSprop's.
        clip: largest norm of the gradient; 0 for no limit.
    """
    tokenizer = data.tokenizer(tokens, vocabulary)
    return Plan(
        model=LanguageModel(len(tokenizer), embedding, stack(cell, embedding, units), last_only=True),
        view=Windows(tokenizer, window, step, examples, aside),
        optimizers={"language": rmsprop(rate)},
        batch=batch,
        epochs=150,
        clip=clip,
        watch=10_000,
    )
