# ruff: noqa: PLR0913 - the flags of a command are the parameters of its function
"""The commands for language models: thin. Flags are the signatures of the functions here.

Nothing here imports torch before a command needs it.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from reverie.cli.flags import PLAIN, Common, RunName, Seed, opened, say, show
from reverie.errors import UsageError

if TYPE_CHECKING:
    from reverie.actions.of_text import Speech

app = App(name="text", default_parameter=Parameter(consume_multiple=True, negative=()), result_action="return_none")

Page = Annotated[Path | None, Parameter(help="An HTML page to write, instead of one in the run's folder.")]
File = Annotated[Path | None, Parameter(help="The file to write.")]
Words = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
Length = Annotated[int, Parameter(help="Symbols of each sample, at most.")]
Temperature = Annotated[float, Parameter(help="0 takes the likeliest, 1 is the model itself, more is wilder.")]


@app.command
def generate(
    run: RunName,
    /,
    *,
    prompt: Words = None,
    prompt_file: Words = None,
    length: Length = 200,
    temperature: Temperature = 0.75,
    top_k: int | None = None,
    top_p: float = 1.0,
    min_p: float = 0.0,
    no_repeat_ngram: int = 0,
    max_copy: int = 0,
    stop: tuple[str, ...] = (),
    count: int = 1,
    seed: Seed = 0,
    probabilities: bool = False,
    common: Common = PLAIN,
) -> None:
    r"""Let a language model go on with a text, symbol by symbol.

    Args:
        run: a path, a name, or last.
        prompt: what comes before; by default the end of a line. A backslash and an n stand for the end of a line.
        prompt_file: take it from a file, or with - from standard input.
        length: symbols of each sample, at most.
        temperature: 0 takes the likeliest, 1 is the model itself, more is wilder.
        top_k: only the k likeliest symbols; all by default.
        top_p: only the likeliest that reach this probability together; 1 for all.
        min_p: only those with this share of the largest probability; 0 for all.
        no_repeat_ngram: no sequence of so many symbols twice; 0 allows all.
        max_copy: no longer sequence of the training text; 0 allows all.
        stop: strings that end a sample.
        count: samples, in one batch.
        seed: fixes all randomness.
        probabilities: a line of JSON for each symbol, with the model's probability and that of the draw.
        common: what every command takes.
    """
    speech = opened(run, common).stream(
        _prompt(prompt, prompt_file),
        count=count,
        length=length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        no_repeat_ngram=no_repeat_ngram,
        max_copy=max_copy,
        stop=stop,
        seed=seed,
    )
    if speech.note:
        print(f"reverie: {speech.note}", file=sys.stderr)
    _print(speech, probabilities, common)


def _prompt(prompt: str | None, file: str | None) -> str:
    r"""The prompt as it was given: with ``\n`` for the end of a line where it is an argument."""
    if prompt is not None and file is not None:
        raise UsageError("--prompt and --prompt-file are both a prompt; give one of them.")
    if file is None:
        return (prompt or "").replace("\\n", "\n")
    from reverie.data.text import check_utf8
    from reverie.data.trees import read_file

    content = sys.stdin.buffer.read() if file == "-" else read_file(Path(file))
    return check_utf8(content, "standard input" if file == "-" else file).decode()


def _print(speech: "Speech", probabilities: bool, common: Common) -> None:
    if probabilities:
        for piece in speech:
            say(json.dumps(piece._asdict(), ensure_ascii=False))
    elif common.json:
        say(json.dumps({"prompt": speech.prompt, "texts": speech.texts(), "note": speech.note}, ensure_ascii=False))
    elif speech.count == 1:
        print(speech.prompt, end="", flush=True)
        for piece in speech:
            print(piece.text, end="", flush=True)
        print()
    else:
        for number, text in enumerate(speech.texts(), 1):
            say(f"-- {number} of {speech.count} --\n{speech.prompt}{text}")


@app.command
def copies(
    run: RunName,
    text: Path | None = None,
    /,
    *,
    length: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    out: Page = None,
    common: Common = PLAIN,
) -> None:
    """Show what a text, or what the model says, copies from the training text.

    Args:
        run: a path, a name, or last.
        text: a file; by default the model speaks.
        length: symbols that it then says; 10,000 by default.
        temperature: 0 takes the likeliest, 1 is the model itself and the default, more is wilder.
        seed: fixes all that it then says; 0 by default.
        out: an HTML page to write, instead of one in the run's folder.
        common: what every command takes.
    """
    given = {"length": length, "temperature": temperature, "seed": seed}
    drawn = {name: value for name, value in given.items() if value is not None}
    result = opened(run, common).copies(text, out=out, **drawn)
    show(result, common)
    if common.json:
        return
    say(f"longest copied run: {result.values['longest']['length']:,} characters")
    say(f"of held-out texts of this length, usually: {result.values['usual_longest']:,g}")
    for k, share in result.values["shares"].items():
        say(f"{k:>3} in a row: {share['text']:7.2%} of the text, {share['held_out']:7.2%} of the held-out text")


@app.command
def compress(run: RunName, text: Path, /, *, out: File = None, common: Common = PLAIN) -> None:
    """Compress a text file by a language model: the proof of its bits.

    Args:
        run: a path, a name, or last.
        text: a file in UTF-8.
        out: the file to write; by default the text's name with .reverie.
        common: what every command takes.
    """
    from reverie.engine.stop import on_signals

    with on_signals() as stop:
        result = opened(run, common).compress(text, out=out, should_stop=lambda: bool(stop))
    show(result, common)
    if not common.json:
        text, packed, code, bits = result.values.values()
        say(f"{text:,} bytes to {packed:,}, of which {code:,} are code: {bits:.4f} bits a byte")


@app.command
def decompress(run: RunName, file: Path, /, *, out: File = None, common: Common = PLAIN) -> None:
    """Bring back a text that the same model compressed.

    Args:
        run: a path, a name, or last.
        file: what compress wrote.
        out: the file to write; by default the file's name without .reverie.
        common: what every command takes.
    """
    from reverie.engine.stop import on_signals

    with on_signals() as stop:
        result = opened(run, common).decompress(file, out=out, should_stop=lambda: bool(stop))
    show(result, common)
