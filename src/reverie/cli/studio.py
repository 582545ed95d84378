"""``reverie studio`` on the command line. Nothing here imports torch or the server before it is needed."""

from pathlib import Path


def studio(  # noqa: PLR0913 - flags of a command
    run: str | None = None,
    /,
    *,
    port: int = 8017,
    no_browser: bool = False,
    host: str | None = None,
    token: str | None = None,
    runs: Path | None = None,
    json: bool = False,
) -> None:
    """Open the studio: runs, training and exploring in the browser, on this machine alone.

    Args:
        run: what is opened first: a path, a name, or last.
        port: where it listens; 0 takes any that is free.
        no_browser: print the address, and open no browser.
        host: let other machines in through this address; needs a token.
        token: a word of your own in the address, at least 16 characters, instead of a fresh one at each start.
        runs: the folder of runs; by default $REVERIE_RUNS, then runs.
        json: print the address as JSON.
    """
    from reverie.studio.server import Wish, serve

    serve(Wish(run, runs, host=host, port=port, token=token, browser=not no_browser, as_json=json))
