"""``reverie data``: the named sets, and what is wrong with a set of one's own. Torch waits until a command needs it."""

import json
from pathlib import Path

from cyclopts import App

from reverie.cli import flags
from reverie.cli.flags import PLAIN, Common, say
from reverie.errors import DataError

app = App(name="data", help="The catalog of data sets, and what is wrong with your own.")


@app.command(name="list")
def data_list(*, common: Common = PLAIN) -> None:
    """List the data sets that have a name, and which of them are here."""
    from reverie.data.catalog import CATALOG, availability

    if common.json:
        say(json.dumps({name: availability(entry) for name, entry in CATALOG.items()}))
        return
    for name, entry in CATALOG.items():
        say(f"{name:16} {availability(entry):10} {entry.about}")


@app.command(name="check")
def data_check(source: str, /, *, out: Path = Path("contact-sheet.png"), common: Common = PLAIN) -> None:
    """Look at your own images or text: what there is, what is wrong with which file, and a contact sheet of images.

    Args:
        source: a folder, archive, array file, text or name.
        out: the contact sheet to write, of images.
        common: what every command takes.
    """
    from reverie.cli.check import check

    report = check(source, out)
    if common.json:
        say(json.dumps(report))
    else:
        for words in report["words"]:
            say(words)
    if report["problems"]:
        count = len(report["problems"])
        what, them = ("1 file", "it") if count == 1 else (f"{count:,} files", "them")
        raise DataError(f"{what} of {source} cannot be used; repair or remove {them}.")


@app.command(name="fetch")
def data_fetch(name: flags.SetName, /, *, offline: flags.Offline = False, common: Common = PLAIN) -> None:
    """Fetch a data set from its source into the cache, checked by its sha256."""
    from reverie.data.download import fetch

    folder = fetch(name, offline=offline)
    say(json.dumps({"folder": str(folder)}) if common.json else folder)
