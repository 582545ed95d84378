"""What the operations of a training step take by themselves, its matrix products and convolutions apart.

    REVERIE_DATA=... python benchmarks/operations.py            # the networks that have an aim, batch 128, two threads
    REVERIE_DATA=... python benchmarks/operations.py dcgan --batch 64

Each operation of torch in one step is repeated with its own operands, in the cache; its least time is taken, less
that of a call that does nothing. The kernels of one's own are timed where they are made, in the step; the least of
many counts. No step can be faster than the sum of both unless there are fewer of them or other kernels make them. The
page puts them beside the least time of the whole step, and beside the step that the aim of benchmarks/speed.py needs,
by the ratio of the newest race.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry

from peers.own import warm
from record import keep, put, rows, table
from reverie import native
from reverie.native import kernels
from speed import PLAIN, peak

AIMS = {  # recipe -> the rival, and how many times as fast; of the kernels' products only dense layers are counted
    "vae-mlp": ("pythae", 2.5),
    "gan-mlp": (PLAIN, 2.5),
    "dcgan": (PLAIN, 2.5),
}
PRODUCTS = ("mm.", "addmm.", "bmm.", "baddbmm.", "convolution", "mkldnn_rnn")
TURNS, STEPS, REPEATS = 5, 30, 8
KERNELS = ("dense", "dense_back", "norm", "norm_back", "code_draw", "code_back", "distances", "distances_back")
KERNELS += ("squares", "adam")
HEAD = ("network", "batch", "a step", "torch's operations", "kernels of one's own", "of both, products", "at the peak")
HEAD += ("the aim needs",)
MILLISECONDS = ("step_ms", "operations_ms", "kernels_ms", "products_ms")


class Operations(TorchDispatchMode):
    """Keeps each operation of torch that is made, with copies of its operands in their layout."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[bool, Callable[[], Any]]] = []  # whether it is a product, and the call
        self.flops = 0

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        copies = tree_map_only(torch.Tensor, torch.clone, (args, given))
        result, product = op(*args, **given), op.__name__.startswith(PRODUCTS)
        self.made.append((product, lambda: op(*copies[0], **copies[1])))
        if product:
            self.flops += flop_registry[op.overloadpacket](*args, **given, out_val=result)
        return result


class Kernels:
    """Clocks the kernels of one's own, call by call, while it is entered."""

    def __init__(self) -> None:
        self.made: list[tuple[str, float]] = []  # which, and its seconds
        self.flops = 0
        self._own: dict[str, Any] = {}

    def __enter__(self) -> "Kernels":
        if native.available():
            self._own = {name: getattr(kernels.library(), name) for name in KERNELS}
        for name, function in self._own.items():
            setattr(kernels.library(), name, partial(self._clocked, name, function))
        return self

    def __exit__(self, *_: object) -> None:
        for name, function in self._own.items():
            setattr(kernels.library(), name, function)

    def _clocked(self, name: str, function: Callable[..., Any], *given: Any) -> Any:
        if name in ("dense", "dense_back"):
            layer, to = given[0], given[-2]
            products = 1 if name == "dense" else bool(to.x) + bool(to.weight)
            self.flops += 2 * products * layer.examples * layer.inputs * layer.outputs
        began = time.perf_counter()
        result = function(*given)
        self.made.append((name, time.perf_counter() - began))
        return result


def kernels_of(step: Callable[[], Any]) -> tuple[float, float, int]:
    """Least seconds of the kernels in a step, of those of dense layers, and what these multiply and add."""
    rounds = []
    for _ in range(TURNS * STEPS):
        with Kernels() as clocked:
            step()
        rounds.append(clocked.made)
    least = [(calls[0][0], min(took for _, took in calls)) for calls in zip(*rounds, strict=True)]
    dense = sum(took for name, took in least if name.startswith("dense"))
    return sum(took for _, took in least), dense, clocked.flops


def seconds(call: Callable[[], Any], repeats: int) -> Iterator[float]:
    """How long each of some calls takes."""
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        yield time.perf_counter() - began


@cache
def a_call() -> float:
    """How long the call of an operation takes that does nothing: a view of a number."""
    number = torch.zeros(())
    return min(seconds(lambda: torch.ops.aten.alias.default(number), 10_000))


def measure(recipe: str, batch: int) -> dict[str, Any]:
    """The figures of one recipe, in milliseconds."""
    training = warm(recipe, {"data": "mnist", "batch": batch})
    with Operations() as operations:
        training.round()
    are_products, calls = zip(*operations.made, strict=True)
    whole, least = math.inf, [math.inf] * len(calls)
    for _ in range(TURNS):  # in turn, for the machine is not equally quiet all the time
        whole = min(whole, *seconds(training.round, STEPS))
        least = [min(took, *seconds(call, REPEATS)) for took, call in zip(least, calls, strict=True)]
    least = [max(0.0, took - a_call()) for took in least]
    own, dense, flops = kernels_of(training.round)
    products = sum(took for took, product in zip(least, are_products, strict=True) if product)
    return {
        "step_ms": round(1e3 * whole, 2),
        "operations_ms": round(1e3 * sum(least), 2),
        "kernels_ms": round(1e3 * own, 2),
        "products_ms": round(1e3 * (products + dense), 2),
        "operations": len(calls),
        "products": sum(are_products),
        "gflop": round((operations.flops + flops) / 1e9, 3),
        "peak_gflops": round(peak()["bf16"]),
    }


def needed(recipe: str, batch: int, step: float) -> str:
    """How long the step may take at the aim: as much shorter as the newest race of that batch size is behind it."""
    rival, times = AIMS.get(recipe, ("", 0))
    races = [row for row in rows("speed") if (row["name"], row["batch"]) == (recipe, batch)]
    return f"{step * races[-1]['ratio'][rival] / times:.1f} ms" if times and races else "–"


def render() -> None:
    """Put the table into docs/performance.md."""
    newest = {(row["name"], row["batch"]): row for row in rows("operations") if row["name"] in AIMS}
    lines = (
        [name, str(batch), *(f"{row[part]:.1f} ms" for part in MILLISECONDS)]
        + [f"{1e3 * row['gflop'] / row['peak_gflops']:.1f} ms", needed(name, batch, row["step_ms"])]
        for (name, batch), row in newest.items()
    )
    put("performance.md", "operations", table(HEAD, lines))


def main() -> None:
    """Measure, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=list(AIMS))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--render", action="store_true", help="only put the table into docs/performance.md")
    arguments = parser.parse_args()
    if not arguments.render and not os.environ.get("REVERIE_DATA"):
        raise SystemExit("REVERIE_DATA must name the folder of data sets")
    for recipe in [] if arguments.render else arguments.recipes:
        figures = measure(recipe, arguments.batch)
        print(recipe, figures, flush=True)
        keep("operations", name=recipe, batch=arguments.batch, **figures)
    render()


if __name__ == "__main__":
    main()
