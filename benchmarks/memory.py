"""The memory of training on a large text beside the size of the text.

    REVERIE_DATA=... python benchmarks/memory.py                      # 200 MB, a few steps and the report
    python benchmarks/memory.py --render                              # the table of docs/text.md from results.jsonl

The text is tinyshakespeare again and again with a number between. The peak is that of the whole command; the base is
that of the interpreter with torch and reverie, and the small run is the same command on tinyshakespeare alone.
"""

import argparse
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

from record import keep, put, rows, table
from reverie.data.text import read_text

HEAD = ["text", "torch and reverie alone", "1 MB of text", "this text", "above 1 MB of text, times the text"]
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
    lines = []
    for row in rows("memory")[-1:]:
        megabytes = (f"{row[name] / 1e6:,.0f} MB" for name in ("size", "base", "small", "peak"))
        lines.append([*megabytes, f"{(row['peak'] - row['small']) / row['size']:.2f}"])
    put("text.md", "memory", table(HEAD, lines))


def main() -> None:
    """Measure, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=200_000_000, help="bytes of the text")
    parser.add_argument("--render", action="store_true", help="only put the table into docs/text.md")
    arguments = parser.parse_args()
    if not arguments.render:
        keep("memory", **measured(arguments.size))
    render()


if __name__ == "__main__":
    main()
