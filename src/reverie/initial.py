"""Starting from the weights of another run: continue on other data, with a vocabulary that grows by new symbols."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from reverie.data.corpus import TextSpec
from reverie.data.prompts import near_characters
from reverie.data.tokenizers import Tokenizer, grow
from reverie.data.utf8 import pieces
from reverie.engine.loop import Training
from reverie.errors import UsageError
from reverie.kinds import Spec
from reverie.runs import open_run


def grown(init: str | None, spec: Spec) -> Spec:
    """For a text: the vocabulary of the run to start from, with the new symbols of the training part after it.

    Raises:
        UsageError: there is no such run, or it is one of images.
    """
    if init is None or not isinstance(spec, TextSpec):
        return spec
    old = open_run(init).spec
    if not isinstance(old, TextSpec) or old.kept is None:
        raise UsageError(f"--init {init} is a model of images; to start a model of text, name a run of text.")
    return replace(spec, kept=grow(old.kept, pieces(spec.train)))


def take_over(init: str, training: Training, spec: Spec) -> None:
    """Start from the weights of a run; see ``taken``."""
    weights = taken(init, training.job.model, spec)
    training.job.model.load_state_dict(weights)
    if training.average is not None:
        training.average.load_state_dict(weights)


def taken(init: str, model: nn.Module, spec: Spec) -> dict[str, Tensor]:
    """The weights of a run, as a model of the same recipe takes them.

    What belongs to a symbol that is new (its rows, on the first axis) starts as that of the nearest known one (without
    accents, in another case), else as the mean over all known ones.

    Raises:
        UsageError: the models differ in more than their vocabularies.
    """
    run = open_run(init)
    old, new = run.model.state_dict(), model.state_dict()
    before = run.spec.kept if isinstance(run.spec, TextSpec) else None
    after = spec.kept if isinstance(spec, TextSpec) else None
    parents = _parents(before, after) if before and after else []
    differ = [name for name in new if name not in old or not _fits(old[name], new[name], before, after)]
    differ += old.keys() - new.keys()
    if differ:
        raise UsageError(
            f"--init {init}: its weights do not fit this model ({', '.join(differ[:3])}). "
            "Take the same recipe with the same arguments; they are in its config.toml."
        )
    return {name: _with_rows(old[name], len(new[name]), parents) if new[name].dim() else old[name] for name in new}


def _fits(old: Tensor, new: Tensor, before: Tokenizer | None, after: Tokenizer | None) -> bool:
    if old.shape == new.shape:
        return True
    sizes = (len(before), len(after)) if before and after else (0, 0)
    return old.dim() > 0 and (len(old), len(new)) == sizes and old.shape[1:] == new.shape[1:]


def _parents(before: Tokenizer, after: Tokenizer) -> list[int | None]:
    """For each new symbol the number of the nearest known one, if there is one."""
    known = {symbol: number for number, symbol in enumerate(before.symbols)}
    return [next((known[n] for n in near_characters(s) if n in known), None) for s in after.symbols[len(before) :]]


def _with_rows(old: Tensor, count: int, parents: list[int | None]) -> Tensor:
    """A tensor with rows for new symbols after its own."""
    if len(old) == count:
        return old
    mean = old.float().mean(0).to(old.dtype)
    return torch.cat([old, torch.stack([mean if parent is None else old[parent] for parent in parents])])
