"""``python -m reverie.export RUN PART FILE``: one graph in a process of its own; prints its difference as JSON."""

import contextlib
import json
import logging
import os
import sys
from pathlib import Path

from reverie.errors import ReverieError


def main(run: str, name: str, file: str) -> None:
    """Export the part of that name into the file."""
    from reverie.export.facts import as_text, facts_of
    from reverie.export.onnx import convert
    from reverie.export.parts import parts_of
    from reverie.runs import open_run

    there = open_run(run)
    (part,) = [each for each in parts_of(there.name, there.model, there.plan.view, there.spec) if each.name == name]
    # Exporters talk; the answer is one line.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        difference = convert(part, as_text({**facts_of(there), "part": name}), Path(file))
    print(json.dumps({"difference": difference}))


def _guarded() -> int:
    logging.disable(logging.WARNING)
    try:
        main(*sys.argv[1:])
    except ReverieError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:  # of an exporter that does not know an operation; the last line is what is shown
        first = (str(error).strip().splitlines() or [""])[0]
        print(f"{type(error).__name__}: {first[:300]}", file=sys.stderr)
        return ReverieError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_guarded())
