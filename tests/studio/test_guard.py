"""The guard: whose names are ours, and bodies that lie about their length or never end."""

import asyncio

import pytest
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from reverie.studio import guard
from reverie.studio.guard import Door, Guard

OURS = ("127.0.0.1:8017", "localhost:8017", "[::1]:8017")
OTHERS = (
    "127.0.0.1:8018", "127.0.0.1", "evil.example:8017", "127.0.0.1.evil.example:8017", "localhost.:8017", "", ":8017",
    "192.168.0.7:8017", "0x7f000001:8017", "127.0.0.1:8017:8017",
)  # fmt: skip


@pytest.mark.parametrize("host", [*OURS, *OTHERS])
def test_which_hosts_are_ours(host):
    assert Door(8017).is_mine(host) is (host in OURS)


def test_with_a_host_of_its_own_addresses_are_ours_and_other_names_are_not():
    door = Door(8017, "0.0.0.0")
    assert door.is_mine("192.168.0.7:8017")
    assert door.is_mine("[fe80::1]:8017")
    assert not door.is_mine("evil.example:8017")
    assert Door(8017, "lab.example").is_mine("lab.example:8017")


def test_every_start_has_a_token_and_a_key_of_its_own():
    secrets = [secret for _ in range(20) for door in [Door(1)] for secret in (door.token, door.key)]
    assert len(set(secrets)) == 40
    assert min(map(len, secrets)) >= 32


def test_two_host_headers_are_none():
    headers = Headers(raw=[(b"host", b"127.0.0.1:8017"), (b"host", b"evil.example")])
    assert guard.refusal("GET", "/", headers, Door(8017))[0] == 400


def test_a_body_longer_than_its_header_says_is_cut():
    async def long():
        return {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True}

    async def read():
        receive = guard._limited(long, "/api/train")
        for _ in range(100):
            await receive()

    with pytest.raises(HTTPException) as refused:
        asyncio.run(read())
    assert refused.value.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(guard, "PAUSE", 0.05)

    async def never():
        await asyncio.sleep(60)

    with pytest.raises(HTTPException) as refused:
        asyncio.run(guard._limited(never, "/api/train")())
    assert refused.value.status_code == 408


def test_a_body_in_drops_ends(monkeypatch):
    monkeypatch.setattr(guard, "LONGEST", 0.1)

    async def drop():
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read():
        receive = guard._limited(drop, "/api/train")
        for _ in range(100):
            await receive()

    with pytest.raises(HTTPException) as refused:
        asyncio.run(read())
    assert refused.value.status_code == 408


def test_sockets_are_not_let_through():
    async def app(*_):
        raise AssertionError

    asyncio.run(Guard(app, Door(1))({"type": "websocket"}, None, None))
