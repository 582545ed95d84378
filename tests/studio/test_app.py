"""What the studio answers: every address to its person, and nothing to anybody else."""

import json
import os
from urllib.parse import quote, unquote

import pytest
from starlette.testclient import TestClient

from reverie.studio.app import application
from reverie.studio.guard import BODY
from scenes import fingerprint

HOME = "http://127.0.0.1:8017"
JSON = {"content-type": "application/json"}
RAW = {"content-type": "application/octet-stream"}
CODE = b"\0" * 8  # one code of two numbers


def nested(n: int) -> bytes:
    return b'{"a":' * n + b"1" + b"}" * n


NAMES = (
    "..",
    "../vae",
    "..%2fvae",
    "%2e%2e",
    "vae%00",
    "vae%2f..%2ftold",
    "/etc",
    "%2fetc%2fpasswd",
    "none",
    "VAE",
    "v" * 5000,
    "%ff",
    "vae%0d%0ax",
)
WEB = (
    "../fetch.py",
    "fetch.py",
    "lock.json",
    "__init__.py",
    "..%2f..%2ferrors.py",
    "studio/../fetch.py",
    "page.html",
    "%2e%2e/fetch.py",
    "",
)
UPLOADS = (
    "x.pkl",
    "x.pt",
    "x.onnx",
    "x.py",
    "x.exe",
    "x",
    "../x.png",
    "/x.png",
    ".x.png",
    "a/b/c/d.png",
    "a\\b.png",
    "x\0.png",
    "..",
    "",
    "a/../x.png",
    "con:.png",
)
TRAIN = (
    {}, [], "x", {"recipe": 1, "values": {}}, {"recipe": "vae-conv"}, {"recipe": "vae-conv", "values": []},
    {"recipe": "none", "values": {}}, {"recipe": "/tmp/evil.py", "values": {}}, {"recipe": "../x.py", "values": {}},
    {"recipe": "vae-conv", "values": {"batch": 0}}, {"recipe": "vae-conv", "values": {"batch": "x"}},
    {"recipe": "vae-conv", "values": {"rate": 1e9}}, {"recipe": "vae-conv", "values": {"evil": 1}},
    {"recipe": "vae-conv", "values": {"data": 7}}, {"recipe": "vae-conv", "values": {"data": "uploads/../vae"}},
    {"recipe": "vae-conv", "values": {"data": "uploads/none"}}, {"recipe": "vae-conv", "values": {"size": "0x0"}},
    {"recipe": "vae-conv", "values": {"minutes": 1, "epochs": 1}}, {"recipe": "vae-conv", "values": {}, "name": "../x"},
    {"recipe": "vae-conv", "values": {}, "name": "vae"}, {"recipe": "vae-conv", "values": {}, "name": 5},
    {"recipe": "vae-conv", "values": {"seed": -1}}, {"recipe": "vae-conv", "values": {"seed": {"a": [1]}}},
)  # fmt: skip

GROUPS = (
    {}, {"with": 99}, {"with": [[0]]}, {"with": [[0, 1e9]]}, {"with": [["a", 0]]}, {"with": True},
    {"with": 0, "without": [[]]},
)  # fmt: skip
WISHES = (
    {"prompt": 5}, {"prompt": ["a"]}, {"prompt": "x" * 20_001}, {"length": 0}, {"length": 5001}, {"length": 10**30},
    {"length": 1.5}, {"length": "9"}, {"length": True}, {"temperature": -1}, {"temperature": "hot"}, {"top_k": 0},
    {"top_k": 1.5}, {"top_p": 0}, {"top_p": 2}, {"min_p": -0.1}, {"seed": -1}, {"seed": 2**70}, {"evil": 1},
    {"stop": ["a"]}, {"max_copy": 3}, {"train": 1},
)  # fmt: skip
ASKED = ({"text": 5}, {"text": "x" * 20_001}, {"text": "a", "temperature": -1}, {"text": "a", "top_k": "all"})
ARGUMENTS = (
    {"generator": [10**9]}, {"generator": [256] * 99}, {"batch": 10**9}, {"latent": 10**9}, {"critic_turns": 10**6},
    {"cost": 5}, {"evil": 5}, {"rate": "fast"}, {"seed": -1}, {"init": "/etc/passwd"}, {"data": "/etc/passwd"}, [],
)  # fmt: skip
GAMES = (
    {}, {"law": "none"}, {"law": ["ring"]}, {"law": "/etc/passwd"}, {"law": "drawing"},
    *({"law": "drawing", "dark": [level] * count} for level, count in ((0, 4096), (1, 100), ("a", 4096), (1e9, 4096))),
    *({"law": "ring", "arguments": given} for given in ARGUMENTS),
)  # fmt: skip
SCORED = ({}, {"text": ""}, {"text": "a"}, {"text": None}, {"text": "x" * 20_001})
NO_JSON = (
    b"", b"{", b"[]", b"1", b"NaN", nested(50), nested(100_000), b'{"a":"\\ud800"}', b"\xff\xfe",
    b'{"a":' + b"9" * 6000 + b"}",
)  # fmt: skip
NO_CODES = (b"", b"x", CODE[:7], CODE * 1025, b"\xff" * 8, b"\x00\x00\xc0\x7f" * 2)
FILES = (
    "samples/../run.json",
    "pictures/..%2frun.json",
    "checkpoints/x.png",
    "model/model.safetensors",
    "samples/no.png",
)
SETS = ("mnist", "a.b", "..", "%00", "a%2fb", "n" * 41)
DROPS = (b"x" * 100_000 for _ in range(BODY // 100_000 + 1))  # a body whose length no header tells


def get(*paths: str) -> list:
    return [("GET", path, {}) for path in paths]


def post(path: str, *wishes: object) -> list:
    return [("POST", path, {"json": wish}) for wish in wishes]


def raw(path: str, *bodies: object, headers=RAW, **more: object) -> list:
    return [("POST", path, {"content": body, "headers": headers, **more}) for body in bodies]


# Each: method, path, what is sent. Whoever asks has entered, and comes from the right page.
BROKEN = [
    *get(*(f"/api/runs/{name}" for name in NAMES)),
    *get(*(f"/api/{what.format(name)}" for what in ("runs/{}/report", "models/{}") for name in NAMES[:6])),
    *get(*(f"/web/{name}" for name in WEB)),
    *get(*(f"/api/runs/vae/rows?from={start}" for start in ("x", "-1", "1e3", "9" * 40, "\u0663x"))),
    *get(*(f"/api/runs/vae/{path}" for path in FILES)),
    *get("/api/models/vae/arrays/none", "/api/compare?first=vae&second=none", "/api/compare", "/api/recipes/_parts"),
    *get("/api/recipes/..%2f_parts", "/api/none", "/none", "/api/train"),
    *[each for path in UPLOADS for each in raw("/api/uploads/mine", b"x", params={"path": path})],
    *[each for name in SETS for each in raw(f"/api/uploads/{name}", b"x", params={"path": "x.png"})],
    *post("/api/train", *TRAIN),
    *[each for what in ("stop", "delete", "evil") for each in post(f"/api/runs/vae/{what}", {})],
    *[each for name in NAMES for what in ("stop", "resume") for each in post(f"/api/runs/{name}/{what}", {})],
    *[each for name in NAMES for each in post(f"/api/runs/{name}/delete", {"name": unquote(name)})],
    *post("/api/runs/vae/delete", *({"name": name} for name in ("told", "", None, 5, ["vae"], "VAE"))),
    *raw("/api/models/vae/decoder", *NO_CODES),
    *raw("/api/models/told/decoder", CODE + b"\x09\0\0\0", CODE + b"\xff" * 4),
    *raw("/api/models/vae/encoder", b"\0\0\x80\x40" * 64),
    *raw("/api/models/vae/none", CODE),
    *raw("/api/models/vae/score", CODE),
    *raw("/api/models/game/score", CODE),
    *post("/api/models/vae/decoder", [0, 0]),
    *post("/api/models/vae/direction", *GROUPS),
    *get(*(f"/api/texts/{name}" for name in (*NAMES, "vae", "game"))),
    *get("/api/models/words", "/api/texts/words/write", "/api/texts/words/next"),
    *post("/api/texts/words/write", *WISHES),
    *raw("/api/texts/words/write", *NO_JSON, headers=JSON),
    *raw("/api/texts/words/write", b"{}"),
    *post("/api/texts/words/next", *ASKED),
    *[each for what in ("surprise", "beside") for each in post(f"/api/texts/words/{what}", *SCORED)],
    *post("/api/texts/words/evil", {}),
    *post("/api/games", *GAMES),
    *raw("/api/games", *NO_JSON, headers=JSON),
    *[each for name in NAMES for each in post(f"/api/games/{name}/step", {"player": "both", "steps": 1})],
    *get("/api/games", *(f"/api/runs/{name}/verdict" for name in NAMES[:6])),
    *[
        each
        for what in ("write", "next", "surprise", "beside")
        for each in post(f"/api/texts/vae/{what}", {"text": "ab"})
    ],
    *[each for name in NAMES for each in post(f"/api/texts/{name}/write", {})],
    *raw("/api/runs/vae/stop", *NO_JSON, b"x" * (BODY + 1), DROPS, headers=JSON),
    *raw("/api/runs/vae/stop", b"{}", headers={"content-type": "text/plain"}),
    *raw("/api/train", b'{"recipe": "vae-mlp", "values": {"data": "\\ud800"}}', headers=JSON),
    *[(method, "/api/runs/vae", {}) for method in ("DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "EVIL")],
    *post("/api/runs", {}),
    *post("/", {}),
    *post("/enter", {"token": "wrong"}, {"token": None}, {}),
]

# Each: what is wrong with who asks; tried on an address that reads, one that computes and one that deletes.
FOREIGN = {
    "another host": {"host": "evil.example"},
    "a host that looks like ours": {"host": "127.0.0.1.evil.example:8017"},
    "our host at another port": {"host": "127.0.0.1:80"},
    "no port": {"host": "127.0.0.1"},
    "an address of the network": {"host": "10.0.0.1:8017"},
    "an empty host": {"host": ""},
    "another origin": {"origin": "http://evil.example"},
    "our host by another scheme": {"origin": "https://127.0.0.1:8017"},
    "another port's origin": {"origin": "http://127.0.0.1:9999"},
    "a page without an origin": {"origin": "null"},
    "another site": {"sec-fetch-site": "cross-site"},
    "another server of this machine": {"sec-fetch-site": "same-site"},
    "no cookie": {"cookie": ""},
    "another key": {"cookie": "reverie-8017=wrong"},
    "another port's cookie": {"cookie": "reverie-9999=wrong"},
    "a cookie that is none": {"cookie": "\x01=;;==;"},
}


@pytest.fixture
def undisturbed(studio, runs):
    """Nothing below the runs has changed, and no process was started."""
    before = fingerprint(runs)
    yield
    assert fingerprint(runs) == before
    assert studio.trainer.children == {}


def test_hundreds_of_broken_requests_change_nothing_and_break_nothing(client, undisturbed):
    codes = []
    for method, path, sent in BROKEN:
        answer = client.request(method, path, **sent)
        codes.append(answer.status_code)
        assert 400 <= answer.status_code < 500, (
            method,
            path[:80],
            str(sent)[:200],
            answer.status_code,
            answer.text[:200],
        )
        if answer.headers.get("content-type") == "application/json":
            assert answer.json()["error"]
            assert "Traceback" not in answer.text
    assert len(codes) >= 100
    print(f"{len(codes)} broken requests: {dict((code, codes.count(code)) for code in sorted(set(codes)))}")


@pytest.mark.parametrize("wrong", FOREIGN.values(), ids=FOREIGN.keys())
def test_nobody_else_reads_computes_or_deletes(wrong, client, undisturbed):
    tries = [("GET", "/api/runs", {}), ("POST", "/api/models/vae/decoder", {"content": CODE, "headers": RAW}),
             ("POST", "/api/runs/vae/delete", {"content": b'{"name": "vae"}', "headers": JSON})]  # fmt: skip
    if "cookie" in wrong:
        client.cookies.clear()
    for method, path, sent in tries:
        answer = client.request(method, path, **{**sent, "headers": {**sent.get("headers", {}), **wrong}})
        assert 400 <= answer.status_code < 404, (path, answer.status_code)
        assert "vae-mlp" not in answer.text


@pytest.mark.parametrize("host", [wrong["host"] for wrong in FOREIGN.values() if "host" in wrong])
def test_a_name_that_was_pointed_here_is_refused_whatever_else_is_right(host, studio, client, undisturbed):
    right = {"host": host, "origin": f"http://{host}", "cookie": f"{studio.door.cookie}={studio.door.key}"}
    assert client.get("/api/runs", headers=right).status_code == 400
    assert client.post("/api/runs/vae/delete", json={"name": "vae"}, headers=right).status_code == 400


def test_a_recipe_file_is_code_and_is_not_run_from_a_page(client, studio, tmp_path):
    trace, code = tmp_path / "trace", tmp_path / "evil.py"
    code.write_text(f"open({str(trace)!r}, 'w')\ndef run(data, *, batch: int = 8): ...\n")
    for recipe in (str(code), os.path.relpath(code)):
        assert client.post("/api/train", json={"recipe": recipe, "values": {}}).status_code == 400
        assert client.get(f"/api/recipes/{quote(recipe, safe='')}").status_code == 404
    assert not trace.exists()
    assert studio.trainer.children == {}


def test_a_request_that_changes_something_needs_an_origin(client, undisturbed):
    del client.headers["origin"]
    assert client.post("/api/runs/vae/delete", json={"name": "vae"}).status_code == 403
    assert client.get("/api/runs").status_code == 200


def test_the_page_needs_no_token_and_tells_nothing(stranger):
    page = stranger.get("/explore/vae")
    assert page.status_code == 200
    assert "vae" not in page.text
    assert stranger.get("/web/studio/main.js").headers["content-type"].startswith("text/javascript")
    assert stranger.get("/api/runs").status_code == 401


def test_every_answer_carries_the_policy(client):
    for path in ("/", "/web/style.css", "/api/runs", "/api/none", "/api/runs/vae/report"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].split(";")[0] in ("default-src 'none'", "sandbox"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_the_cookie_is_for_this_site_and_no_script(studio, stranger):
    said = stranger.post("/enter", json={"token": studio.door.token}).headers["set-cookie"]
    assert "HttpOnly" in said
    assert "SameSite=strict" in said
    assert studio.door.token not in said


def test_runs_are_listed_newest_first_with_their_key_figure(client):
    found = client.get("/api/runs").json()["runs"]
    assert {run["name"]: run["status"] for run in found} == dict.fromkeys(("vae", "told", "game", "words"), "finished")
    assert {run["name"]: run["kind"] for run in found if run["kind"] != "images"} == {"words": "text"}
    (vae,) = [run for run in found if run["name"] == "vae"]
    assert vae["figure"]["name"] == "elbo"
    assert vae["recipe"] == "vae-mlp"


def test_a_run_tells_its_figures_settings_and_pictures(client, runs):
    run = client.get("/api/runs/vae").json()
    assert run["settings"]["latent"] == 2
    told = [row["name"] for group in run["figures"] for row in group["rows"]]
    assert told == [each["name"] for each in json.loads((runs / "vae" / "eval.json").read_text())["figures"]]
    assert {"manifold.png"} <= {sheet["name"] for sheet in run["pictures"]} | {"manifold.png"}
    for sheet in run["pictures"]:
        picture = client.get(f"/api/runs/vae/pictures/{sheet['name']}")
        assert picture.content == (runs / "vae" / "pictures" / sheet["name"]).read_bytes()
    report = client.get("/api/runs/vae/report")
    assert report.text == (runs / "vae" / "report.html").read_text()
    assert report.headers["content-security-policy"].startswith("sandbox")


def test_two_runs_are_compared_as_the_command_does(client):
    rows = client.get("/api/compare", params={"first": "vae", "second": "vae"}).json()["rows"]
    assert rows
    assert all("better" not in row["verdict"] for row in rows)


def test_a_deleted_run_is_gone_and_the_others_are_not(client, runs):
    assert client.post("/api/runs/vae/delete", json={"name": "vae"}).status_code == 200
    assert sorted(path.name for path in runs.iterdir()) == ["game", "told", "words"]


def test_two_people_at_once_get_their_own_answers(studio, client):
    other = TestClient(application(studio), base_url=HOME, headers={"origin": HOME})
    other.post("/enter", json={"token": studio.door.token})
    shapes = {"vae": 64, "told": 64 * client.get("/api/models/told").json()["shape"][0]}
    for _ in range(3):
        for person, name, body in ((client, "vae", CODE), (other, "told", CODE + b"\0" * 4)):
            answer = person.post(f"/api/models/{name}/decoder", content=body, headers=RAW)
            assert len(answer.content) == shapes[name]


def test_an_unreadable_run_is_shown_as_such(client, runs):
    (runs / "vae" / "run.json").write_text("{")
    (runs / "told" / "config.toml").write_bytes(b"\xff")
    (runs / "game" / "eval.json").write_text("[]")
    found = {run["name"]: run["status"] for run in client.get("/api/runs").json()["runs"]}
    assert found == {"vae": "unreadable", "told": "finished", "game": "finished", "words": "finished"}
    for name in found:
        assert client.get(f"/api/runs/{name}").status_code == 200
    assert client.get("/api/models/told").status_code == 400
