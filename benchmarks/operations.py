"""What the operations of a training step take by themselves, its matrix products and convolutions apart.

    REVERIE_DATA=... python benchmarks/operations.py            # the networks that have an aim, batch 128, two threads
    REVERIE_DATA=... python benchmarks/operations.py dcgan --batch 64

Each operation of one step is repeated with its own operands, in the cache; its least time is taken, less that of a call
that does nothing. No step can be faster than their sum unless there are fewer of them or other kernels make them. The
page puts them beside the least time of the whole step, and beside the step that the aim of benchmarks/speed.py needs,
by the ratio of the newest race.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry

from peers.own import warm
from record import keep, put, rows, table
from speed import PLAIN, peak

AIMS = {  # recipe -> the rival, and how many times as fast; kernels of one's own would not be seen
    "vae-mlp": ("pythae", 2.5),
    "gan-mlp": (PLAIN, 2.5),
    "dcgan": (PLAIN, 2.5),
}
PRODUCTS = ("mm.", "addmm.", "bmm.", "baddbmm.", "convolution", "mkldnn_rnn")
TURNS, STEPS, REPEATS = 5, 30, 8
HEAD = ("network", "batch", "a step", "its operations alone", "of these products", "at the peak", "the aim needs")


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
    return {
        "step_ms": round(1e3 * whole, 2),
        "operations_ms": round(1e3 * sum(least), 2),
        "products_ms": round(1e3 * sum(took for took, product in zip(least, are_products, strict=True) if product), 2),
        "operations": len(calls),
        "products": sum(are_products),
        "gflop": round(operations.flops / 1e9, 3),
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
        [name, str(batch), *(f"{row[part]:.1f} ms" for part in ("step_ms", "operations_ms", "products_ms"))]
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
