"""Bodies of requests, read no further than they may be long and no longer than they may take, and parsed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from bot.api.problems import Problem, too_large, too_slow

MOST_BYTES = 1_000_000

MOST_SECONDS = 10.0
"""How long a whole body may take to come; uvicorn itself would wait for ever."""


async def read(request: Request, most: int = MOST_BYTES) -> bytes:
    """Return the body; raises a `Problem` (413) as soon as it is known to be longer than `most` bytes.

    Raises one (408), too, where it takes longer than `MOST_SECONDS` to come.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > len(str(most)) or int(declared) > most):
        raise too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(MOST_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise too_large(most)
    except TimeoutError:
        raise too_slow(MOST_SECONDS) from None
    except ClientDisconnect:
        raise Problem(400, "incomplete", "The connection closed before the whole body had arrived.") from None
    return bytes(body)


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body, empty where there is no body; raises a `Problem` (400)."""
    body = await read(request)
    if not body.strip():
        return {}
    try:
        parsed = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, json.JSONDecodeError) else "it cannot be read"
        raise Problem(400, "bad_json", f"The body is not JSON: {why}.") from None
    if not isinstance(parsed, dict):
        raise Problem(400, "bad_json", "The body is not a JSON object.")
    return parsed


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number")
