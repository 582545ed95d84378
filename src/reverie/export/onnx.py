"""ONNX: each graph is exported by a process of its own, and compared with the model before it is kept."""

import json
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from reverie.errors import ReverieError, UsageError
from reverie.export.facts import facts_of
from reverie.export.parts import Part, parts_of
from reverie.files import whole_folder, write
from reverie.runs import Run

OPSET = 20
BATCHES = (1, 7, 64)  # that the graph is compared at; it is traced at 2
TOLERANCE = 1e-4  # of any number, in float32


@dataclass(frozen=True)
class Exported:
    """One file, how far it is from the model at most, and its bytes."""

    file: Path
    difference: float
    size: int

    def __str__(self) -> str:
        """A line about it."""
        at = ", ".join(map(str, BATCHES))
        return f"{self.file}  {self.size / 1e6:.1f} MB, differs by {self.difference:.1e} at most (batches of {at})"


def export_onnx(run: Run, out: Path | None = None) -> list[Exported]:
    """Write every graph of a run's model into a folder: all of them, or none.

    Args:
        run: a finished run.
        out: the folder; by default ``export/onnx`` of the run. What was there is replaced, once the new is whole.

    Raises:
        UsageError: the model has no graphs, the run is not finished, or a package is missing.
        ReverieError: a graph cannot be made, or differs from the model by more than 1e-4.
    """
    require_onnx()
    facts_of(run)  # refuses a run that is not finished
    names = [part.name for part in parts_of(run.name, run.model, run.plan.view, run.spec)]
    place = out or run.folder / "export" / "onnx"
    with whole_folder(place) as folder:
        differences = {name: _in_fresh_process(run, name, folder / f"{name}.onnx") for name in names}
    files = {name: place / f"{name}.onnx" for name in names}
    return [Exported(file, differences[name], file.stat().st_size) for name, file in files.items()]


def require_onnx() -> None:
    """Ask for the packages that an export needs.

    Raises:
        UsageError: one of them is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(f"An export needs {error.name}. Install it with: pip install 'reverie[export]'") from error


def _in_fresh_process(run: Run, part: str, file: Path) -> float:
    """Export one part; its difference from the model. A second export in a process may freeze sizes of the first."""
    command = [sys.executable, "-m", "reverie.export", str(run.folder.resolve()), part, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # a list of words, no shell
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no word was said"]
        raise ReverieError(f"The {part} of {run.name} was not exported: {words[-1].removeprefix('reverie: ')}")
    return float(json.loads(done.stdout.splitlines()[-1])["difference"])


def convert(part: Part, metadata: Mapping[str, str], file: Path) -> float:
    """Write one graph and return its largest difference from the module.

    Raises:
        ReverieError: it differs by more than the tolerance; the file is then not there.
    """
    graph = _traced(part, metadata)
    difference = _difference(part, graph)
    if not difference <= TOLERANCE:
        raise ReverieError(f"it differs from the model by {difference:.1e}, and {TOLERANCE:g} is allowed.")
    write(file, graph)
    return difference


def _traced(part: Part, metadata: Mapping[str, str]) -> bytes:
    """The graph as the bytes of a file, with a free batch axis."""
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        program = torch.onnx.export(
            part.module.eval(),
            part.examples(2),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(part.inputs),
            output_names=list(part.outputs),
            dynamic_shapes=_dynamic(part, torch.export.Dim("batch")),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise ReverieError("the exporter gave no graph.")
    model = program.model_proto
    for given in model.graph.input:
        if not given.type.tensor_type.shape.dim[part.inputs[given.name].axis].dim_param:
            raise ReverieError(f"the exporter froze the batch of {given.name}: what is computed depends on its size.")
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _dynamic(part: Part, batch: object) -> tuple[object, ...]:
    """Which axis of each input is the batch, laid out as the parameters of ``forward`` are."""
    axes = [{each.axis: batch} for each in part.inputs.values()]
    named = part.module.forward.__code__.co_argcount - 1  # parameters before ``*rest``, without self
    rest = tuple(axes[named:])
    return (*axes[:named], rest) if rest else tuple(axes)


def _difference(part: Part, graph: bytes) -> float:
    """The largest difference of any output at any of the batch sizes; NaN if there is one."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    worst = torch.zeros(())
    for n in BATCHES:
        given = part.examples(n)
        found = session.run(None, {name: value.numpy() for name, value in zip(part.inputs, given, strict=True)})
        with torch.no_grad():
            wanted = part.module(*given)
        gaps = [(torch.from_numpy(a) - b.float()).abs().max() for a, b in zip(found, wanted, strict=True)]
        worst = torch.stack([worst, *gaps]).max()  # keeps NaN
    return float(worst)
