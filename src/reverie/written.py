"""A trained language model with its text: all that generation and evaluation need, whatever the kind of model."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from reverie.data.corpus import TextData
from reverie.data.tokenizers import Tokenizer
from reverie.engine.plan import View
from reverie.errors import UsageError
from reverie.protocols import TextGenerator


@dataclass(frozen=True)
class Written:
    """A language model in its final weights, in evaluation mode, on the processor it will be asked on.

    Args:
        name: of the run.
        folder: of the run.
        model: the module.
        data: the text it was trained on, in numbers.
        view: how it saw the text.
        source: the name or path of the text as it was given.
    """

    name: str
    folder: Path
    model: nn.Module
    data: TextData
    view: View
    source: str

    @property
    def tokenizer(self) -> Tokenizer:
        """The vocabulary.

        Raises:
            UsageError: none was chosen yet.
        """
        if self.data.tokenizer is None:
            raise UsageError(f"{self.name} has no vocabulary.")
        return self.data.tokenizer

    @property
    def generator(self) -> TextGenerator:
        """The model as something that predicts symbols.

        Raises:
            UsageError: it does not.
        """
        if isinstance(self.model, TextGenerator):
            return self.model
        raise UsageError(f"{self.name} cannot predict symbols: its {type(self.model).__name__} has no step().")
