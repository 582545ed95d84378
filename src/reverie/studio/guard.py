"""Who may ask, and how much: host, origin, token, size and time of every request, and the headers of every answer.

A page of another site must neither read nor change anything here. Its requests carry its own origin, and a name that
it made to point at this machine is no name of this machine; neither passes. A person's own browser comes from the
address that the terminal printed, whose token becomes a cookie that only this site is sent.
"""

import asyncio
import hmac
import ipaddress
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY = 8_000_000  # bytes of a request
HEAD = 16_000  # of its address and its headers
UPLOAD = 1_000_000_000  # of a file that a person brings
PAUSE, LONGEST = 20.0, 60.0  # seconds between two parts of a body, and of all of it
LONGEST_UPLOAD = 1800.0
METHODS = ("GET", "HEAD", "POST")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


@dataclass(frozen=True)
class Door:
    """Where the studio is to be found, and by what it knows its person.

    Args:
        port: that it listens at.
        host: that it listens on, where it is not this machine alone.
        token: in the printed address.
        key: in the cookie that the token is changed for.
    """

    port: int
    host: str = ""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def cookie(self) -> str:
        """Its name: two studios on one machine share the cookies of the machine."""
        return f"reverie-{self.port}"

    def is_mine(self, host: str) -> bool:
        """Whether a Host header names this place: its own names, or an address, which nobody can point elsewhere."""
        name, _, port = host.rpartition(":")
        if port != str(self.port) and not (self.port == 80 and host in LOOPBACK):
            return False
        return name in LOOPBACK or bool(self.host) and (name == self.host or _is_address(name))

    def knows(self, headers: Headers) -> bool:
        """Whether a request carries the cookie."""
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return found is not None and same(found.value, self.key)


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class Guard:
    """Lets requests through to an application, or answers them itself."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        answer = _with_headers(send)
        if problem := refusal(scope["method"], scope["path"], headers, self.door):
            code, words = problem
            await JSONResponse({"error": words}, code)(scope, receive, answer)
            return
        await self.app(scope, _limited(receive, scope["path"]), answer)


def refusal(method: str, path: str, headers: Headers, door: Door) -> tuple[int, str] | None:
    """Why a request is not let through: a status and words; None if it is."""
    if sum(len(name) + len(value) for name, value in headers.raw) > HEAD or len(path) > HEAD:
        return 431, "The head of this request is too large."
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not door.is_mine(hosts[0]):
        return 400, "This address is not the studio's; open the one that the terminal shows."
    if method not in METHODS:
        return 405, f"{method} is not done here."
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return 403, "Another site asked for this."
    origins = headers.getlist("origin")
    if origins not in ([], [f"http://{hosts[0]}"]) or (method == "POST" and not origins):
        return 403, "This did not come from the studio's own page."
    if path.startswith("/api/") and not door.knows(headers):
        return 401, "Open the studio by the address that the terminal shows: it holds this start's token."
    return _length(headers, path)


def _length(headers: Headers, path: str) -> tuple[int, str] | None:
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        return 400, "The length of the body is no number."
    most, _ = _limits(path)
    return (413, f"The body may have {most:,} bytes; it has {int(length):,}.") if int(length) > most else None


def _limits(path: str) -> tuple[int, float]:
    return (UPLOAD, LONGEST_UPLOAD) if path.startswith("/api/uploads/") else (BODY, LONGEST)


def _limited(receive: Receive, path: str) -> Receive:
    """The body, counted as it comes: what a header says of its length need not be true."""
    most, longest = _limits(path)
    began, seen = time.monotonic(), 0

    async def part() -> Message:
        nonlocal seen
        try:
            message = await asyncio.wait_for(receive(), None if seen < 0 else PAUSE)
        except TimeoutError as error:
            raise HTTPException(408, "The rest of the body did not come.") from error
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise HTTPException(413, f"The body may have {most:,} bytes.")
            if time.monotonic() - began > longest:
                raise HTTPException(408, "The body took too long.")
            if not message.get("more_body"):
                seen = -1  # whatever comes now is the end of the connection, which may take its time
        return message

    return part


def _with_headers(send: Send, more: Mapping[str, str] = HEADERS) -> Send:
    """Answers with the headers of the house, unless they have their own."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in more.items():
                headers.setdefault(name, value)
        await send(message)

    return answer
