"""The application: which address asks for what. Everything that changes something is a POST with JSON or bytes."""

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
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from reverie import recipes
from reverie.compare import side_by_side
from reverie.data.catalog import CATALOG, availability
from reverie.errors import ReverieError, UsageError
from reverie.export.html import colours
from reverie.kinds import kind_of
from reverie.studio import uploads
from reverie.studio.asked import BYTES, asked, raw
from reverie.studio.desk import Desk, Opened, explored
from reverie.studio.form import form
from reverie.studio.game import LAWS, Arena
from reverie.studio.guard import Door, Guard, same
from reverie.studio.shelf import Shelf, plainly
from reverie.studio.trainer import Trainer
from reverie.studio.writing import Writer, lines
from reverie.web import fetch

WEB = Path(fetch.__file__).parent
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGES = ("/", "/train", "/compare", "/write", "/game")
OF_RUNS = ("/runs/{name}", "/explore/{name}", "/write/{name}", "/game/{name}")
REPORT = {"content-security-policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"}


@dataclass(frozen=True)
class Studio:
    """What the answers are made from."""

    runs: Path
    door: Door
    shelf: Shelf
    trainer: Trainer
    desk: Desk[Opened]
    pen: Desk[Writer]
    arena: Arena

    @classmethod
    def of(cls, runs: Path, door: Door) -> "Studio":
        """The studio of a runs folder."""
        trainer = Trainer(runs)
        return cls(runs, door, Shelf(runs, trainer), trainer, Desk(explored), Desk(Writer.of), Arena())

    def close(self) -> None:
        """End its threads."""
        self.desk.close()
        self.pen.close()
        self.arena.close()


def application(studio: Studio) -> Starlette:
    """The web application of a studio, behind its guard."""

    def at(path: str, answer: Callable[..., Any], method: str = "GET") -> Route:
        return Route(path, partial(_answered, partial(answer, studio)), methods=[method])

    pages = [at(path, shell) for path in (*PAGES, *OF_RUNS)]
    routes = [
        *pages,
        at("/web/{path:path}", web_file),
        at("/enter", enter, "POST"),
        at("/api/runs", runs),
        at("/api/runs/{name}", run),
        at("/api/runs/{name}/rows", rows),
        at("/api/runs/{name}/report", report),
        at("/api/runs/{name}/verdict", verdict),
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
        at("/api/games", begin, "POST"),
        at("/api/games/{game}/step", play, "POST"),
        at("/api/texts/{name}", writer),
        at("/api/texts/{name}/write", write, "POST"),
        at("/api/texts/{name}/{what}", read, "POST"),
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
    """The recipes of the package, and what each is for."""
    return await run_in_threadpool(
        lambda: [{"name": n, "summary": recipes.summary(n), "kind": kind_of(n)} for n in recipes.names()]
    )


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
    named += [{"name": name, "kind": "points", "about": about, "here": True} for name, about in LAWS.items()]
    brought = [{"name": name, "kind": uploads.kind(studio.runs, name)} for name in uploads.sets(studio.runs)]
    return {"named": named, "uploads": brought}


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
    found, body = studio.shelf.find(request.path_params["name"]), await raw(request)
    part = request.path_params["part"]
    return Response(await studio.desk.do(found, lambda opened: opened.compute(part, body)), media_type=BYTES)


async def score(studio: Studio, request: Request) -> Any:
    """How likely a picture is."""
    found, body = studio.shelf.find(request.path_params["name"]), await raw(request)
    return await studio.desk.do(found, lambda opened: opened.score(body))


async def direction(studio: Studio, request: Request) -> Any:
    """The direction of an attribute."""
    found, wish = studio.shelf.find(request.path_params["name"]), await asked(request)
    work = lambda opened: opened.direction(wish.get("with"), wish.get("without"))  # noqa: E731
    return plainly(await studio.desk.do(found, work))


# Games


async def verdict(studio: Studio, request: Request) -> Any:
    """How a game of two networks goes, in words; nothing where none is played, or nothing is known yet."""
    found = await run_in_threadpool(studio.shelf.verdict, request.path_params["name"])
    return {} if found is None else found._asdict()


async def begin(studio: Studio, request: Request) -> Any:
    """Begin a game of points in memory."""
    return plainly(await studio.arena.begin(await asked(request)))


async def play(studio: Studio, request: Request) -> Any:
    """Play some rounds of it."""
    return plainly(await studio.arena.step(request.path_params["game"], await asked(request)))


# Texts


async def writer(studio: Studio, request: Request) -> Any:
    """Open a language model, and say what the page must know of it."""
    found = studio.shelf.find(request.path_params["name"])
    return plainly(await studio.pen.do(found, Writer.about))


async def write(studio: Studio, request: Request) -> Response:
    """Go on with a text, symbol by symbol, for as long as somebody reads."""
    found, wish = studio.shelf.find(request.path_params["name"]), await asked(request)
    speech = await studio.pen.do(found, lambda opened: opened.begin(wish))
    return StreamingResponse(lines(studio.pen, speech), media_type="application/x-ndjson")


READ = {"next": Writer.next, "surprise": Writer.surprise, "beside": Writer.beside}


async def read(studio: Studio, request: Request) -> Any:
    """Say what may come next, how a text surprises the model, or what counting makes of it."""
    found, wish, what = (
        studio.shelf.find(request.path_params["name"]),
        await asked(request),
        request.path_params["what"],
    )
    if what not in READ:
        raise HTTPException(404, "There is nothing of that kind.")
    return plainly(await studio.pen.do(found, lambda opened: READ[what](opened, wish)))
