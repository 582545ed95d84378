"""Fetching a named set, on demand alone, from its public host and held against its sha256."""

import os
from pathlib import Path

from reverie.data.catalog import CATALOG, Entry, Remote, cache, find, not_fetchable
from reverie.errors import DataError, suggest


def fetch(name: str, *, offline: bool = False) -> Path:
    """Fetch a named set into the cache, unless it is there already, and return where it lies.

    Args:
        name: a name of the catalog.
        offline: do not use the network; ``REVERIE_OFFLINE=1`` says the same.

    Raises:
        DataError: the name is unknown, the set cannot be fetched, there is no network, or a file has another
        sha256.
            Without a network the message names each file's URL, its sha256 and where to put it.
    """
    entry = CATALOG.get(name)
    if entry is None:
        raise DataError(f'there is no data set named "{name}".{suggest(name, CATALOG)} `reverie data list` shows them.')
    if not entry.places:
        raise DataError(f"{name} is built in: there is nothing to fetch.")
    found = find(entry)
    if found:
        return found
    if not entry.remotes:
        raise DataError(not_fetchable(entry))
    if offline or os.environ.get("REVERIE_OFFLINE", "0") not in ("", "0"):
        raise DataError(_by_hand(entry, "this is offline"))
    for remote in entry.remotes:
        _retrieve(remote, entry)
    return find(entry) or cache()


def _by_hand(entry: Entry, why: str) -> str:
    files = "\n".join(map(str, entry.remotes))
    return f"{entry.name} cannot be fetched: {why}. Bring these files from elsewhere:\n{files}"


def _retrieve(remote: Remote, entry: Entry) -> None:
    import pooch

    target = cache() / remote.path
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(remote.url, f"sha256:{remote.sha256}", fname=target.name, path=target.parent)
    except OSError as error:  # no connection, no such page, no space
        raise DataError(_by_hand(entry, f"{type(error).__name__}: {str(error)[:200]}")) from error
    except ValueError as error:  # another sha256; pooch has removed the file
        raise DataError(_by_hand(entry, f"{remote.url} gave a file with another sha256")) from error
