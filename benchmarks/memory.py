"""The memory of training on a large text beside the size of the text.

    REVERIE_DATA=... python benchmarks/memory.py                      # 200 MB, a few steps and the report
    python benchmarks/memory.py --render                              # the table of docs/text.md from results.jsonl

The text is tinyshakespeare again and again with a number between. The peak is that of the whole command; the base is
that of the interpreter with torch and reverie, and the small run is the same command on tinyshakespeare alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import date
from itertools import count
from pathlib import Path

import torch

import reverie
from reverie.data.text import read_text
from reverie.engine.machine import describe

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.jsonl", HERE.parent / "docs" / "text.md"
BEGIN, END = "<!-- memory -->", "<!-- end of memory -->"
PEAK = "; print(next(x for x in open('/proc/self/status') if x.startswith('VmHWM')).split()[1])"


def peak(code: str) -> int:
    """Bytes that a process of its own holds at most, as Linux counts them; getrusage would count its parent too."""
    command = [sys.executable, "-c", code + PEAK]
    return 1024 * int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def training(source: str | Path, runs: str) -> str:
    """A few steps, measured and reported."""
    return f"import reverie; reverie.train('text-char', data={str(source)!r}, runs={runs!r}, steps=5, threads=1)"


def measured(size: int) -> dict[str, int]:
    """The size of the text, and the peaks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.txt")
        text, numbers = read_text("tinyshakespeare"), count()
        with path.open("w", encoding="utf-8") as file:
            while file.tell() < size:
                file.write(f"{text}\n{next(numbers)}\n")
        base, small = peak("import torch, reverie"), peak(training("tinyshakespeare", folder))
        return {"size": path.stat().st_size, "base": base, "small": small, "peak": peak(training(path, folder))}


def render() -> None:
    """Put the table into docs/text.md, between its marks."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    found = [row for row in rows if row["kind"] == "memory"][-1:]
    lines = ["| text | torch and reverie alone | 1 MB of text | this text | above torch and reverie, times the text |"]
    lines.append("|---|---|---|---|---|")
    for row in found:
        megabytes = (f"{row[name] / 1e6:,.0f} MB" for name in ("size", "base", "small", "peak"))
        lines.append(f"| {' | '.join(megabytes)} | {row['ratio']:.2f} |")
    lines = lines if found else ["Not run yet."]
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.split(END)[1]}")


def main() -> None:
    """Measure, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=200_000_000, help="bytes of the text")
    parser.add_argument("--render", action="store_true", help="only put the table into docs/text.md")
    arguments = parser.parse_args()
    if not arguments.render:
        row = {
            "kind": "memory",
            **(found := measured(arguments.size)),
            "ratio": round((found["peak"] - found["base"]) / found["size"], 3),
            "date": date.today().isoformat(),
            "device": describe(torch.device("cpu")),
            "versions": {"reverie": reverie.__version__, "torch": torch.__version__},
        }
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")
    render()


if __name__ == "__main__":
    main()
