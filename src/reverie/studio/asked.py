"""What a request asks: JSON or bytes, and one message where it is neither."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

BYTES = "application/octet-stream"
DEEP = 12  # levels of a JSON body


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


async def raw(request: Request) -> bytes:
    """The bytes of a request.

    Raises:
        HTTPException: it comes as something else (415).
    """
    if request.headers.get("content-type", "") != BYTES:
        raise HTTPException(415, f"This takes {BYTES}.")
    return await request.body()
