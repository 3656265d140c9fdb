"""Where a value refers to itself: JSON has no way to say that, and a walk over it would never end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from bot.approvals.errors import BadRequest

_SINGLE = frozenset({str, int, float, bool, type(None)})


def refuse_circular(what: str, value: Any) -> None:
    """Raise `BadRequest`, naming the place, where `value` holds itself, directly or at any depth."""
    above: dict[int, str] = {}
    waiting: list[tuple[str, Any, bool]] = [("", value, False)]
    while waiting:
        path, held, left = waiting.pop()
        if left:
            del above[id(held)]
        elif id(held) in above:
            at, again = path.lstrip("."), above[id(held)].lstrip(".")
            raise BadRequest(
                f"The {what} refers to itself: {at or 'it'} is {again or 'the whole of it'} again; "
                "send plain JSON without a circle."
            )
        else:
            inner = [one for one in _held(path, held) if type(one[1]) not in _SINGLE]
            if inner:
                above[id(held)] = path
                waiting += [(path, held, True), *((deeper, item, False) for deeper, item in inner)]


def _held(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case BaseModel():
            yield from ((f"{path}.{name}", item) for name, item in vars(value).items())
        case dict():
            yield from ((f"{path}.{key}", item) for key, item in value.items())
        case list() | tuple() | set() | frozenset():
            yield from ((f"{path}[{place}]", item) for place, item in enumerate(value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            yield from ((f"{path}.{each.name}", getattr(value, each.name)) for each in fields(value))
