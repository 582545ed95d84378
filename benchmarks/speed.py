"""Images, or targets of a text, trained on per second, beside peers: same network, batch size, data, machine; one run.

    make bench                       # installs the peers into an environment of their own, then runs this
    python benchmarks/speed.py --rounds 7 --seconds 8

Contenders take turns, each in a process of its own; the figures are medians over the rounds and ratios of medians.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import torch

from record import append, put, rows
from reverie.data import load
from reverie.data.corpus import load_text
from reverie.engine.machine import describe

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-peers" / "bin" / "python"
OWN = sys.executable
PLAIN = "plain PyTorch with DataLoader, fp32"
LOOPS = ("vae-iaf-mnist", "ladder-mnist", "gan-mlp", "dcgan")  # recipes whose own networks a plain loop trains beside


def contenders(pixels: Path, batch: int, seconds: float, folder: str, peers: str) -> dict[str, dict[str, list[str]]]:
    """The commands of each race."""
    at = [str(pixels), str(batch), str(seconds)]
    text = [str(pixels.with_suffix(".txt")), str(batch), str(seconds)]
    own, plain, loop = (str(HERE / "peers" / name) for name in ("own.py", "plain.py", "loop.py"))
    same_network = {
        recipe: {
            "reverie": [OWN, own, recipe, *at],
            PLAIN: [OWN, loop, recipe, *at],
        }
        for recipe in LOOPS
    }
    return {
        "vae-conv": {
            "reverie": [OWN, own, "vae-conv", *at],
            "reverie, fp32": [OWN, own, "vae-conv", *at, "precision=fp32"],
            PLAIN: [OWN, plain, "conv", *at],
            "Keras 3 with TensorFlow": [peers, str(HERE / "peers" / "keras_vae.py"), *at],
        },
        "vae-mlp": {
            "reverie": [OWN, own, "vae-mlp", *at],
            "reverie, fp32": [OWN, own, "vae-mlp", *at, "precision=fp32"],
            PLAIN: [OWN, plain, "mlp", *at],
            "pythae": [peers, str(HERE / "peers" / "pythae_vae.py"), *at, folder],
        },
        "text-char": {
            "reverie": [OWN, own, "text-char", *text],
            "reverie, fp32": [OWN, own, "text-char", *text, "precision=fp32"],
            "Keras 3 with TensorFlow": [peers, str(HERE / "peers" / "keras_text.py"), *text],
            "classic windows, same network": [OWN, own, "text-char-classic", *text, "units=512,", "window=64"],
        },
        **same_network,
    }


def images_per_second(command: list[str]) -> float:
    """Run one contender."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    for line in reversed(answer.stdout.splitlines()):
        if line.startswith("{"):
            return float(json.loads(line)["images_per_second"])
    raise SystemExit(f"{' '.join(command)}\n{answer.stderr[-2000:]}")


def peak() -> dict[str, float]:
    """The matrix-product rate of this machine, in GFLOP/s."""
    import time

    torch.set_num_threads(2)
    found = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, times = torch.randn(2048, 2048).to(kind), []
        for _ in range(12):
            began = time.perf_counter()
            a @ a
            times.append(time.perf_counter() - began)
        found[name] = 2 * 2048**3 / median(times) / 1e9
    return found


def table() -> str:
    """The newest row of each race as a table."""
    newest = {(row["name"], row["batch"]): row for row in rows("speed")}
    lines = [
        "| network | batch | contender | images (targets) a second | reverie is faster by |",
        "|---|---|---|---|---|",
    ]
    for (name, batch), row in newest.items():
        for contender, rate in row["images_per_second"].items():
            lines.append(f"| {name} | {batch} | {contender} | {rate:,.0f} | {row['ratio'][contender]:.2f} |")
    ranks = {row["name"]: row for row in rows("ranks")}
    lines += ["", "| network | batch | ranks | images a second |", "|---|---|---|---|"]
    for name, row in ranks.items():
        for count, rate in row["images_per_second"].items():
            lines.append(f"| {name} | {row['batch']} | {count.split()[0]} | {rate:,.0f} |")
    last = list(newest.values())[-1]
    peak_words = ", ".join(f"{kind} {rate:.0f} GFLOP/s" for kind, rate in last["peak_gflops"].items())
    return "\n".join(
        [*lines, "", f"{last['device']}, torch {last['torch']}, {last['date']}; matrix products: {peak_words}."]
    )


def render() -> None:
    """Put the table into docs/performance.md."""
    put("performance.md", "speed", table())


def main() -> None:
    """Race, and write the medians down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--races", nargs="*", default=["vae-conv", "vae-mlp"])
    parser.add_argument("--peers", default=str(PEERS), help="the Python that has the peers")
    parser.add_argument("--render", action="store_true", help="only put the table into docs/performance.md")
    arguments = parser.parse_args()
    if arguments.render:
        return render()
    with tempfile.TemporaryDirectory() as folder:
        pixels = Path(folder) / "pixels.npy"
        np.save(pixels, load("mnist").train.pixels[:12_800, 0].numpy())
        pixels.with_suffix(".txt").write_bytes(load_text("tinyshakespeare").parts["train"].read())
        races = contenders(pixels, arguments.batch, arguments.seconds, folder, arguments.peers)
        for race in arguments.races:
            commands = races[race]
            peaks = [peak()]
            found: dict[str, list[float]] = {name: [] for name in commands}
            for turn in range(arguments.rounds):
                for name, command in commands.items():
                    found[name].append(images_per_second(command))
                    print(f"{race} round {turn + 1}: {name} {found[name][-1]:,.0f} images/s", flush=True)
                peaks.append(peak())
            row = {
                "kind": "speed",
                "name": race,
                "batch": arguments.batch,
                "rounds": arguments.rounds,
                "seconds": arguments.seconds,
                "date": date.today().isoformat(),
                "device": describe(torch.device("cpu")),
                "torch": torch.__version__,
                "peak_gflops": {kind: round(median(p[kind] for p in peaks), 1) for kind in peaks[0]},
                "images_per_second": {name: round(median(values), 1) for name, values in found.items()},
                "all": {name: [round(value, 1) for value in values] for name, values in found.items()},
                "ratio": {name: round(median(found["reverie"]) / median(values), 3) for name, values in found.items()},
            }
            append(row)
            print(json.dumps(row["ratio"], indent=2), flush=True)
    return render()


if __name__ == "__main__":
    main()
