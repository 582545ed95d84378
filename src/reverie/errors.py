"""Every error a person can meet: one message that names the thing and the way out, and an exit code.

========================  ====
class                     exit
========================  ====
ReverieError                 1
UsageError                   2
DataError                    3
Diverged                     4
Interrupted                130
========================  ====
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # errors are met before torch is imported
    from torch import Tensor


class ReverieError(Exception):
    """Something failed, and the message says what to do about it."""

    exit_code = 1


class UsageError(ReverieError):
    """The call itself is wrong: an unknown name, an argument out of its range."""

    exit_code = 2


class DataError(ReverieError):
    """The data is missing, broken, too large, or not of the kind that was asked for."""

    exit_code = 3


class Diverged(ReverieError):
    """Training met numbers that are not finite, and rolling back did not help."""

    exit_code = 4


class Interrupted(ReverieError):
    """A signal stopped the work; what was done is saved."""

    exit_code = 130


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean "…"?`` for the known word nearest to ``word``, or nothing.

    Example:
        >>> suggest("vae-cnov", ["vae-conv", "ae-mlp"])
        ' Did you mean "vae-conv"?'
    """
    close = get_close_matches(word, list(known), n=1)
    return f' Did you mean "{close[0]}"?' if close else ""


def check_temperature(temperature: float) -> None:
    """Refuse a temperature below 0, or one that is no number.

    Raises:
        UsageError: that is so.
    """
    if not temperature >= 0:
        raise UsageError(f"The temperature must be at least 0; got {temperature}.")


def refuse_label(label: object) -> None:
    """Refuse the label that a model without labels was given.

    Raises:
        UsageError: there is one.
    """
    if label is not None:
        raise UsageError("This model was trained without labels: leave the label out.")


def need_label(label: "Tensor | None", n: int, classes: Sequence[str]) -> "Tensor":
    """Return the labels that a conditional model was given, (n,).

    Raises:
        UsageError: there are none, not n, or numbers that are no class.
    """
    if label is None:
        named = ", ".join(classes)
        raise UsageError(f"This model is conditional: it needs a class for each image. Classes are: {named}.")
    from torch.compiler import is_exporting

    if is_exporting():  # a graph cannot ask what its numbers are
        return label
    if label.shape != (n,) or not ((label >= 0) & (label < len(classes))).all():
        wanted = f"{n} numbers from 0 to {len(classes) - 1}, one for each image"
        raise UsageError(f"Labels must be {wanted}; got {tuple(label.shape)}: {label.flatten()[:10].tolist()}.")
    return label
