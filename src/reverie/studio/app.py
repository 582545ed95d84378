"""The application: which address asks for what. Everything that changes something is a POST with JSON or bytes."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reverie import recipes
from reverie.compare import side_by_side
from reverie.data.catalog import CATALOG, availability
from reverie.errors import ReverieError, UsageError
from reverie.export.html import colours
from reverie.studio import uploads
from reverie.studio.desk import Desk
from reverie.studio.form import form
from reverie.studio.guard import Door, Guard, same
from reverie.studio.shelf import Shelf, plainly
from reverie.studio.trainer import Trainer
from reverie.web import fetch

WEB = Path(fetch.__file__).parent
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
REPORT = {"content-security-policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"}
BYTES = "application/octet-stream"
DEEP = 12  # levels of a JSON body


@dataclass(frozen=True)
class Studio:
    """What the answers are made from."""

    runs: Path
    door: Door
    shelf: Shelf
    trainer: Trainer
    desk: Desk

    @classmethod
    def of(cls, runs: Path, door: Door) -> "Studio":
        """The studio of a runs folder."""
        trainer = Trainer(runs)
        return cls(runs, door, Shelf(runs, trainer), trainer, Desk())


def application(studio: Studio) -> Starlette:
    """The web application of a studio, behind its guard."""

    def at(path: str, answer: Callable[..., Any], method: str = "GET") -> Route:
        return Route(path, partial(_answered, partial(answer, studio)), methods=[method])

    pages = [at(path, shell) for path in ("/", "/train", "/compare", "/runs/{name}", "/explore/{name}")]
    routes = [
        *pages,
        at("/web/{path:path}", web_file),
        at("/enter", enter, "POST"),
        at("/api/runs", runs),
        at("/api/runs/{name}", run),
        at("/api/runs/{name}/rows", rows),
        at("/api/runs/{name}/report", report),
        at("/api/runs/{name}/stop", stop, "POST"),
        at("/api/runs/{name}/resume", resume, "POST"),
        at("/api/runs/{name}/delete", delete, "POST"),
        at("/api/runs/{name}/{kind}/{file}", picture),
        at("/api/compare", compare),
        at("/api/recipes", recipe_list),
        at("/api/recipes/{name}", recipe),
        at("/api/data", data),
        at("/api/uploads/{name}", upload, "POST"),
        at("/api/train", train, "POST"),
        at("/api/models/{name}", model),
        at("/api/models/{name}/arrays/{which}", array),
        at("/api/models/{name}/score", score, "POST"),
        at("/api/models/{name}/direction", direction, "POST"),
        at("/api/models/{name}/{part}", compute, "POST"),
    ]
    refused = dict.fromkeys((ReverieError, HTTPException, OSError), _refused)
    handlers: dict[Any, Any] = {**refused, ClientDisconnect: _gone}
    return Starlette(routes=routes, middleware=[Middleware(Guard, door=studio.door)], exception_handlers=handlers)


async def _answered(answer: Callable[[Request], Awaitable[Any]], request: Request) -> Response:
    found = await answer(request)
    return found if isinstance(found, Response) else JSONResponse(found)


def _refused(_: Request, error: Exception) -> JSONResponse:
    """What went wrong, in words, as the command line says it."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code)
    if isinstance(error, OSError):
        return JSONResponse({"error": f"The system refused: {error.strerror or error}."}, 409)
    return JSONResponse({"error": str(error)}, 400)


def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)


async def asked(request: Request) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        HTTPException: it is none (400), or comes as something else (415).
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise HTTPException(415, "This takes application/json.")
    text = await request.body()
    try:
        found = json.loads(text, parse_constant=_no_constant)
        json.dumps(found, ensure_ascii=False).encode()  # half a character is no text
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The body is not JSON.") from error
    if not isinstance(found, dict) or _depth(found) > DEEP:
        raise HTTPException(400, "The body must be a JSON object, and not a deep one.")
    return found


def _no_constant(word: str) -> None:
    raise ValueError(word)


def _depth(value: object) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(each) for each in inside if isinstance(each, dict | list)), default=0)


async def _bytes(request: Request) -> bytes:
    if request.headers.get("content-type", "") != BYTES:
        raise HTTPException(415, f"This takes {BYTES}.")
    return await request.body()


# Pages and files


async def _file(path: Path, kind: str, **headers: str) -> Response:
    """A file, read whole: one that vanishes meanwhile is an answer in words, and no broken one."""
    return Response(await run_in_threadpool(path.read_bytes), media_type=kind, headers=headers)


@cache
def web_files() -> dict[str, Path]:
    """The files that a browser may have, by their names below ``/web``."""
    return {path.relative_to(WEB).as_posix(): path for path in WEB.rglob("*") if path.suffix in TYPES}


async def shell(studio: Studio, request: Request) -> Response:  # noqa: ARG001 - every answer has the same two
    """The page, which asks for the rest."""
    return await _file(WEB / "studio" / "page.html", "text/html")


async def web_file(studio: Studio, request: Request) -> Response:  # noqa: ARG001
    """A module, a style or a drawing of the package."""
    name = request.path_params["path"]
    if name == "colours.css":
        return Response(colours(), media_type="text/css")
    if name not in web_files():
        raise HTTPException(404, "There is no such file.")
    path = web_files()[name]
    return await _file(path, TYPES[path.suffix])


async def enter(studio: Studio, request: Request) -> Response:
    """Change the token of the printed address for a cookie."""
    if not same(str((await asked(request)).get("token")), studio.door.token):
        raise HTTPException(401, "This token is of another start; open the address that the terminal shows now.")
    answer = JSONResponse({})
    answer.set_cookie(studio.door.cookie, studio.door.key, httponly=True, samesite="strict")
    return answer


# Runs


async def runs(studio: Studio, _: Request) -> Any:
    """Every run."""
    return {"folder": str(studio.runs), "runs": await run_in_threadpool(studio.shelf.all)}


async def run(studio: Studio, request: Request) -> Any:
    """One run."""
    return await run_in_threadpool(studio.shelf.detail, request.path_params["name"])


async def rows(studio: Studio, request: Request) -> Any:
    """The course of a training from a byte on."""
    start = request.query_params.get("from", "0")
    if not start.isdecimal() or len(start) > 15:
        raise HTTPException(400, "from is the number of a byte.")
    return await run_in_threadpool(studio.shelf.rows, request.path_params["name"], int(start))


async def picture(studio: Studio, request: Request) -> Response:
    """A picture of a run; its name holds the step, so that a browser may keep it."""
    path = await run_in_threadpool(studio.shelf.picture, **request.path_params)
    return await _file(path, "image/png", **{"cache-control": "private, max-age=31536000, immutable"})


async def report(studio: Studio, request: Request) -> Response:
    """The report of a run, in a box of its own: it can run nothing and ask for nothing."""
    path = studio.shelf.find(request.path_params["name"]).folder / "report.html"
    if not path.is_file():
        raise HTTPException(404, "This run has no report yet.")
    return await _file(path, "text/html", **REPORT)


async def stop(studio: Studio, request: Request) -> Any:
    """Let a training save and end."""
    await asked(request)
    await run_in_threadpool(studio.shelf.stop, request.path_params["name"])
    return {}


async def resume(studio: Studio, request: Request) -> Any:
    """Go on with a training."""
    await asked(request)
    await run_in_threadpool(studio.trainer.resume, studio.shelf.find(request.path_params["name"]))
    return {}


async def delete(studio: Studio, request: Request) -> Any:
    """Remove a run whose name was typed."""
    typed = (await asked(request)).get("name")
    await run_in_threadpool(studio.shelf.delete, request.path_params["name"], typed)
    return {}


async def compare(studio: Studio, request: Request) -> Any:
    """The figures of two runs side by side."""
    two = [studio.shelf.find(request.query_params.get(which, "")) for which in ("first", "second")]
    return {"rows": plainly(await run_in_threadpool(side_by_side, *two))}


# Training


async def recipe_list(_: Studio, __: Request) -> Any:
    """The recipes of the package."""
    return [{"name": name, "summary": recipes.summary(name)} for name in recipes.names()]


async def recipe(_: Studio, request: Request) -> Any:
    """The form of a recipe."""
    name = request.path_params["name"]
    if name not in recipes.names():
        raise HTTPException(404, "There is no such recipe.")
    return plainly(await run_in_threadpool(form, name))


async def data(studio: Studio, _: Request) -> Any:
    """The named sets that are here, and what was uploaded."""
    there = [(entry, availability(entry) not in ("to fetch", "not here")) for entry in CATALOG.values()]
    named = [{"name": e.name, "kind": e.kind, "about": e.about, "here": here} for e, here in there]
    return {"named": named, "uploads": uploads.sets(studio.runs)}


async def upload(studio: Studio, request: Request) -> Any:
    """One file of a set, as it comes."""
    if request.headers.get("content-type", "") != BYTES:
        raise HTTPException(415, f"This takes {BYTES}.")
    to = uploads.place(studio.runs, request.path_params["name"], request.query_params.get("path", ""))
    return {"bytes": await uploads.keep(request.stream(), to)}


async def train(studio: Studio, request: Request) -> Any:
    """Start a training."""
    wish = await asked(request)
    name, values = wish.get("name") or None, wish.get("values")
    if not isinstance(wish.get("recipe"), str) or not isinstance(values, dict) or not isinstance(name, str | None):
        raise UsageError("A training needs a recipe, its values, and perhaps a name.")
    return {"name": await run_in_threadpool(studio.trainer.start, wish["recipe"], values, name)}


# Models


async def model(studio: Studio, request: Request) -> Any:
    """Open a model, and say what the explorer must know of it."""
    found = studio.shelf.find(request.path_params["name"])
    return plainly(await studio.desk.do(found, lambda opened: {**opened.about, "arrays": list(opened.arrays)}))


async def array(studio: Studio, request: Request) -> Response:
    """Codes, labels or a few images, as bytes."""
    found, which = studio.shelf.find(request.path_params["name"]), request.path_params["which"]
    content = await studio.desk.do(found, lambda opened: opened.arrays.get(which))
    if content is None:
        raise HTTPException(404, "There is no such array.")
    return Response(content, media_type=BYTES)


async def compute(studio: Studio, request: Request) -> Response:
    """Encode, decode or generate."""
    found, body = studio.shelf.find(request.path_params["name"]), await _bytes(request)
    part = request.path_params["part"]
    return Response(await studio.desk.do(found, lambda opened: opened.compute(part, body)), media_type=BYTES)


async def score(studio: Studio, request: Request) -> Any:
    """How likely a picture is."""
    found, body = studio.shelf.find(request.path_params["name"]), await _bytes(request)
    return await studio.desk.do(found, lambda opened: opened.score(body))


async def direction(studio: Studio, request: Request) -> Any:
    """The direction of an attribute."""
    found, wish = studio.shelf.find(request.path_params["name"]), await asked(request)
    work = lambda opened: opened.direction(wish.get("with"), wish.get("without"))  # noqa: E731
    return plainly(await studio.desk.do(found, work))
