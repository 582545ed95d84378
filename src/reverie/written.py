"""A trained language model, with its vocabulary to speak, and with its text to be measured."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from torch import nn

from reverie.data.corpus import TextData
from reverie.data.tokenizers import Tokenizer
from reverie.engine.plan import View
from reverie.errors import ReverieError, UsageError
from reverie.protocols import TextGenerator


@dataclass(frozen=True)
class Voice:
    """A language model with its vocabulary: all that it takes to speak.

    Args:
        name: of the run.
        folder: of the run.
        model: the module, in evaluation mode.
        tokenizer: its vocabulary.
    """

    name: str
    folder: Path
    model: nn.Module
    tokenizer: Tokenizer

    @property
    def generator(self) -> TextGenerator:
        """The model as something that predicts symbols.

        Raises:
            UsageError: it does not.
        """
        if isinstance(self.model, TextGenerator):
            return self.model
        raise UsageError(f"{self.name} cannot predict symbols: its {type(self.model).__name__} has no step().")

    def sha256(self) -> str:
        """The hash of the weights file.

        Raises:
            ReverieError: there is none yet.
        """
        path = self.folder / "model" / "model.safetensors"
        try:
            return sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ReverieError(
                f"{path} cannot be read ({error.strerror}): only a finished run compresses, since others change."
            ) from error


@dataclass(frozen=True)
class Written:
    """A language model in its final weights, in evaluation mode, on the processor it will be asked on.

    Args:
        name: of the run.
        folder: of the run.
        model: the module.
        data: the text it was trained on, in numbers.
        view: how it saw the text.
    """

    name: str
    folder: Path
    model: nn.Module
    data: TextData
    view: View

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
    def voice(self) -> Voice:
        """The model with its vocabulary, without its text.

        Raises:
            UsageError: no vocabulary was chosen yet.
        """
        return Voice(self.name, self.folder, self.model, self.tokenizer)
