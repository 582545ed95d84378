"""The word model beside the classic example's loop: the perplexity of the validation part after the first epochs.

    REVERIE_DATA=... python benchmarks/words.py                       # two epochs, two seeds, both
    python benchmarks/words.py --render                               # the table of docs/text.md from results.jsonl

Both train the same network (LSTM 200,200, embedding 200, dropout 0.2) on the same words in the same columns, by
gradient descent at 20, clipped at 0.25; the peer is written in plain PyTorch and draws its own numbers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import reverie
from record import keep, put, rows, table
from reverie.cli.terminal import telling
from reverie.runs import Run

HERE = Path(__file__).parent


def ours(data: str, epochs: int, seed: int) -> float:
    """The perplexity of the recipe in fp32."""
    with tempfile.TemporaryDirectory() as runs, telling() as report:
        settings = {"data": data, "epochs": epochs, "seed": seed, "threads": 1, "precision": "fp32"}
        run = reverie.train("text-word", runs=runs, report=report, **settings)
        figures = Run(run.folder).evaluate().figures
    return next(float(figure.value) for figure in figures if figure.name == "perplexity")


def theirs(data: str, epochs: int, seed: int) -> float:
    """The perplexity of the loop, in a process of its own."""
    command = [sys.executable, str(HERE / "peers" / "words.py"), data, str(epochs), str(seed)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    return float(json.loads(told)["perplexities"][-1])


def render() -> None:
    """Put the table into docs/text.md, between its marks."""
    newest = {(row["data"], row["epochs"]): row for row in rows("words")}
    lines = [
        [row["data"], str(row["epochs"]), seed, f"{own:.1f}", f"{peer:.1f}"]
        for row in newest.values()
        for seed, (own, peer) in row["perplexity"].items()
    ]
    put("text.md", "words", table(["text", "epochs", "seed", "`text-word`", "the classic loop"], lines))


def main() -> None:
    """Train both, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ptb")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    parser.add_argument("--render", action="store_true", help="only put the table into docs/text.md")
    arguments = parser.parse_args()
    if not arguments.render:
        given = (arguments.data, arguments.epochs)
        found = {str(seed): [ours(*given, seed), theirs(*given, seed)] for seed in arguments.seeds}
        keep("words", data=arguments.data, epochs=arguments.epochs, perplexity=found)
    render()


if __name__ == "__main__":
    main()
