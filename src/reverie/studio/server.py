"""``reverie studio``: the server, on this machine alone unless a person says otherwise."""

import json
import socket
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from reverie.errors import UsageError
from reverie.runs import Run, open_run, runs_folder

if TYPE_CHECKING:
    from reverie.studio.guard import Door

CONNECTIONS = 200  # at once; more are turned away


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line.

    Args:
        run: what is opened first: a path, a name or last.
        runs: the folder of runs.
        host: listen there instead of on this machine alone; needs a token.
        port: listen there; 0 takes one that is free.
        token: that the address holds, instead of a fresh one.
        browser: open the page.
        as_json: say the address as JSON.
    """

    run: str | None = None
    runs: Path | None = None
    host: str | None = None
    port: int = 8017
    token: str | None = None
    browser: bool = True
    as_json: bool = False


def serve(wish: Wish) -> None:
    """Serve until a signal comes.

    Raises:
        UsageError: a package is missing, the port is in use, a host without a token, or no such run.
    """
    _demand_packages()
    from reverie.studio.guard import Door

    if wish.host and not wish.token:
        raise UsageError("--host lets other machines in: give a --token of your own, at least 16 characters.")
    if wish.token is not None and len(wish.token) < 16:
        raise UsageError("--token must have at least 16 characters; others could guess a shorter one.")
    opened = open_run(wish.run, wish.runs) if wish.run else None
    folder = (opened.folder.parent if opened else runs_folder(wish.runs)).resolve()
    listening = _listen(wish.host or "127.0.0.1", wish.port)
    secret = {"token": wish.token} if wish.token else {}
    door = Door(listening.getsockname()[1], wish.host or "", **secret)
    address = _address(door, f"{_page_of(opened)}/{quote(opened.folder.resolve().name)}" if opened else "")
    words = f"The studio is open at {address}   (Ctrl-C closes it; trainings go on)"
    print(json.dumps({"address": address}) if wish.as_json else words, flush=True)
    if wish.browser:
        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
    _run(folder, door, listening)
    print("" if wish.as_json else "\nThe studio is closed.", flush=True)


def _run(folder: Path, door: "Door", listening: socket.socket) -> None:
    from uvicorn import Config, Server

    from reverie.studio.app import Studio, application

    studio = Studio.of(folder, door)
    settings = Config(
        application(studio), log_level="warning", access_log=False, ws="none", lifespan="off", server_header=False,
        proxy_headers=False, limit_concurrency=CONNECTIONS, timeout_keep_alive=20, timeout_graceful_shutdown=2,
    )  # fmt: skip
    try:
        Server(settings).run(sockets=[listening])
    except KeyboardInterrupt:  # the server has ended in good order, and passes the signal on
        return
    finally:
        studio.close()


def _page_of(run: Run) -> str:
    """Where a model is looked at first: text is written, points are a game, pictures are explored."""
    return {"text": "write", "points": "game"}.get(run.kind, "explore")


def _address(door: "Door", path: str) -> str:
    name = "127.0.0.1" if not door.host else f"[{door.host}]" if ":" in door.host else door.host
    return f"http://{name}:{door.port}/{path}#token={quote(door.token)}"


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that a browser that is quicker than the server waits."""
    if not 0 <= port < 65536:
        raise UsageError(f"--port is a number from 0 to 65535; got {port}.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise UsageError(f"The studio cannot find {host}: {error.strerror}. Give another --host.") from error
    # Named as TCP, so that asyncio sends small packets at once: else the body of an answer waits 40 ms for its head.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        words = f"The studio cannot listen on {host}, port {port}: {error.strerror or error}."
        raise UsageError(f"{words} Give another with --port, or 0 for any that is free.") from error
    return listening


def _demand_packages() -> None:
    from importlib.util import find_spec

    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise UsageError(f"The studio needs {' and '.join(missing)}: pip install 'reverie[studio]'")
