"""Commands that only say something answer at once: nothing heavy is imported, help is a few bare starts."""

import json
import os
import statistics
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "matplotlib", "PIL", "jinja2")
PROBE = """
import json, sys
from reverie.cli.entry import dispatch, guarded
code = guarded(lambda: dispatch(sys.argv[2:]))
with open(sys.argv[1], "w") as file:
    json.dump({"code": code, "modules": sorted(sys.modules)}, file)
"""


@pytest.mark.parametrize(
    "words",
    ["", "--help", "--version", "train --help", "recipes", "data list", "sample --help", "verify --help", "trian"],
)
def test_nothing_heavy_is_imported(words, tmp_path):
    found = tmp_path / "found.json"
    done = subprocess.run([sys.executable, "-c", PROBE, str(found), *words.split()], capture_output=True, text=True)
    answer = json.loads(found.read_text())
    assert answer["code"] == (2 if words == "trian" else 0), done.stderr
    assert done.stdout or words == "trian"
    assert not [name for name in HEAVY if name in answer["modules"]]


def test_importing_the_package_imports_only_the_standard_library():
    heavy = (*HEAVY, "cyclopts", "rich")
    words = f"import sys; import reverie; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def processor_seconds(*words: str) -> float:
    """Processor time of a process: what others do on the machine hardly enters it."""
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell a process's own time")
@pytest.mark.parametrize("words", [("--help",), ("train", "--help")], ids=" ".join)
def test_help_costs_at_most_twelve_bare_starts(words):
    bare, asked = [], []
    for _ in range(7):
        bare.append(processor_seconds("-c", "pass"))
        asked.append(processor_seconds("-m", "reverie", *words))
    assert statistics.median(asked) <= 12 * statistics.median(bare)
