"""The server itself: one line with the address, one message for what is wrong, an end in good order."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from reverie.studio.server import _listen
from scenes import pictures, reverie


@pytest.fixture
def start(tmp_path):
    """Start a studio as a person does; its process and its address."""
    started = []

    def begin(*words):
        command = [sys.executable, "-m", "reverie", "studio", "--runs", str(tmp_path / "shelf"), "--no-browser"]
        process = subprocess.Popen(
            [*command, "--port", "0", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as a terminal leaves it
        )  # fmt: skip
        started.append(process)
        return process, re.search(r"http\S+", process.stdout.readline())[0]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def talk(address: str, request: bytes) -> bytes:
    """What the server says to bytes, as they are, till it closes the line."""
    with line_to(address) as line:
        line.sendall(request)
        found = b""
        while part := line.recv(65536):
            found += part
    return found


def line_to(address: str) -> socket.socket:
    host, port = address.split("/")[2].split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def first_word(address: str, request: bytes) -> bytes:
    """The beginning of the answer to bytes; the server may keep the line open after it, and wait for more."""
    with line_to(address) as line:
        with contextlib.suppress(ConnectionError):  # it need not take all of what it refuses
            line.sendall(request)
        return line.recv(65536)


def test_the_address_answers_and_ctrl_c_closes_it(start):
    process, address = start()
    assert address.startswith("http://127.0.0.1:")
    assert len(address.split("#token=")[1]) >= 32
    host = address.split("/")[2].encode()
    page = talk(address, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert page.startswith(b"HTTP/1.1 200")
    process.send_signal(signal.SIGINT)
    said, wrong = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "closed" in said
    assert wrong == ""


def test_it_sends_small_packets_at_once():
    """asyncio sets TCP_NODELAY on sockets that are named as TCP alone; without it each answer takes 40 ms more."""
    with _listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


RAW = [
    b"GET /api/runs/../../etc/passwd HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    b"GET /web/../fetch.py HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    b"GET /web/studio/%2e%2e/%2e%2e/errors.py HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    b"GET //etc/passwd HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    b"POST /enter HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999999999999999\r\nConnection: close\r\n\r\n",
    b"POST /enter HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
    b"POST /enter HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /enter HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
]


def test_bytes_that_are_no_good_request_get_no_answer_of_a_broken_server(start):
    process, address = start()
    host = address.split("/")[2].encode()
    for request in RAW:
        answer = first_word(address, request.replace(b"{host}", host))
        assert answer.startswith(b"HTTP/1.1 4"), (request[:80], answer[:80])
    assert process.poll() is None


def test_a_port_in_use_is_one_message(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert reverie("studio", "--no-browser", "--port", str(taken.getsockname()[1])) == 2
    said = capsys.readouterr().err
    assert "--port" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "--token"), (["--host", "0.0.0.0", "--token", "short"], "16"),
        (["--token", "short"], "16"), (["none"], 'no run "none"'), (["--port", "99999"], "--port"),
        (["--host", "192.0.2.1", "--token", "x" * 16], "--port"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_one_message(words, message, capsys):
    assert reverie("studio", "--no-browser", *words) == 2
    assert message in capsys.readouterr().err


def test_killing_the_server_in_training_loses_nothing(start, tmp_path):
    from reverie.runs import open_run
    from reverie.studio.trainer import Trainer

    process, address = start("--token", "a-token-of-my-own")
    host, data = address.split("/")[2], str(pictures(tmp_path / "flat"))

    def post(path, wish, cookie=""):
        body = json.dumps(wish)
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Type: application/json\r\n"
        return talk(
            address,
            f"{head}Cookie: {cookie}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode(),
        ).decode()

    cookie = post("/enter", {"token": "a-token-of-my-own"}).split("set-cookie: ")[1].split(";")[0]
    values = {"data": data, "hidden": 8, "latent": 2, "batch": 8, "steps": 400, "threads": 1, "save_every": 20}
    assert '"mine"' in post("/api/train", {"recipe": "vae-mlp", "values": values, "name": "mine"}, cookie)
    folder = tmp_path / "shelf" / "mine"
    end = time.monotonic() + 120
    while not any((folder / "checkpoints").glob("step-*")) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    trainer = Trainer(tmp_path / "shelf")
    assert trainer.alive("mine")
    while trainer.alive("mine") and time.monotonic() < end:
        time.sleep(0.1)
    assert open_run(folder).record["status"] == "finished"
    assert open_run(folder).record["starts"] == 1


@pytest.mark.parametrize(("name", "page"), [("vae", "explore"), ("words", "write")])
def test_a_run_is_opened_where_its_kind_is_looked_at(name, page, start, runs):
    _, address = start(str(runs / name))
    assert f"/{page}/{name}#token=" in address
