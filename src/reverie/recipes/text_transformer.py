"""Small causal transformer over characters, for comparison with recurrent networks.

Architecture: the size of nanoGPT's character model for processors (Karpathy 2022: 4 layers, 4 heads, 128 numbers, 64
symbols in sight), about 0.8 million weights. Differs: keys and values are carried from window to window, positions are
rotations, the logits use the embedding, and the rate falls in a straight line.
"""

from reverie.arguments import Count, Fraction, Rate, Steps, Weight
from reverie.data.corpus import TextSpec
from reverie.data.pairs import Kind
from reverie.data.streams import Columns
from reverie.engine.plan import Plan, linear
from reverie.errors import UsageError
from reverie.models.transformer import Transformer
from reverie.recipes._parts import adamw

DATA = "tinyshakespeare"
TINY = {"width": 8, "layers": 1, "heads": 2, "batch": 2, "window": 8}
TARGETS = ()  # the source's figure, 1.88 nats, is of random windows with a cold start


def run(
    data: TextSpec,
    *,
    width: Count = 128,
    layers: Count = 4,
    heads: Count = 4,
    tokens: Kind = "characters",
    vocabulary: Steps = 0,
    window: Count = 64,
    batch: Count = 12,
    dropout: Fraction = 0.0,
    rate: Rate = 1e-3,
    decay: Weight = 0.1,
    ema: Fraction = 0.999,
    clip: Weight = 1.0,
) -> Plan:
    """The causal transformer.

    Args:
        data: the text.
        width: numbers of a position, a multiple of twice the heads.
        layers: of attention.
        heads: of each layer.
        tokens: what a symbol is: characters, bytes, words, bpe.
        vocabulary: symbols at most, the most frequent ones; 0 for all.
        window: symbols that are read at once, and as many are in sight of each.
        batch: columns of text that are read side by side.
        dropout: share that is dropped of what each part of a layer adds.
        rate: Adam's, at its peak.
        decay: of the weights, decoupled.
        ema: decay a step of the averaged weights; 0 for none.
        clip: largest norm of the gradient; 0 for no limit.

    Raises:
        UsageError: the width cannot be shared out among the heads.
    """
    if width % (2 * heads):
        raise UsageError(f"--width must be a multiple of twice the --heads ({2 * heads}); got {width}.")
    tokenizer = data.tokenizer(tokens, vocabulary)
    return Plan(
        model=Transformer(len(tokenizer), width=width, layers=layers, heads=heads, reach=window, dropout=dropout),
        view=Columns(tokenizer, window),
        optimizers={"language": adamw(rate, decay)},
        schedule=linear(),
        batch=batch,
        epochs=2,
        ema=ema,
        clip=clip,
        watch=10_000,
    )
