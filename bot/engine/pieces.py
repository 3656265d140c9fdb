"""What a state holds made plain where nobody has to wait: a large one beside the loop, and in pieces."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from bot.engine.plain import as_plain, as_text

SMALL = 5_000
"""Values in a state, at any depth, that the loop deals with: some milliseconds. More go to a thread."""

TEXT = 100
"""Characters that take as long as a value."""

PIECE = 500
"""Items of a list that are made plain at once; other threads wait for each piece."""

DEEPEST = 8
"""Levels of a large state that are taken apart; what is below is taken whole."""

_SINGLE = frozenset({int, float, bool, type(None)})

_Result = TypeVar("_Result")


async def beside(work: Callable[[], _Result], *states: Any) -> _Result:
    """Do what deals with these states, in a thread of its own where one of them is large."""
    if all(map(is_small, states)):
        return work()
    return await asyncio.to_thread(work)


def is_small(state: Any) -> bool:
    """Whether it holds so little that it is quickly dealt with."""
    waiting, seen = [state], 0
    while waiting and seen <= SMALL:
        value = waiting.pop()
        if isinstance(value, str | bytes):
            seen += len(value) // TEXT
        elif type(value) not in _SINGLE:
            inner = _within(value)
            seen += len(inner)
            if seen <= SMALL:
                waiting.extend(inner)
    return seen <= SMALL


def _within(value: Any) -> Collection[Any]:
    """Return what plain JSON of a value is made from; another kind of collection is told by its repr."""
    match value:
        case dict():
            return value.values()
        case list() | tuple() | set() | frozenset() | deque():
            return value
        case type():  # to which an enum's member leads, and it to all of them
            return ()
        case _:
            return getattr(value, "__dict__", {}).values()


def in_pieces(value: Any, depth: int = 0) -> Any:
    """Return plain JSON, of what is large piece by piece."""
    if depth < DEEPEST and not is_small(value):
        match value:
            case str():
                return as_text(value)
            case list() | tuple():
                return list(_items(list(value), depth))
            case dict() if all(isinstance(key, str) for key in value):
                keys = [as_text(key) for key in value]
                return dict(zip(keys, _items(list(value.values()), depth), strict=True))
    return as_plain(value)


def _items(values: list[Any], depth: int) -> Iterator[Any]:
    for start in range(0, len(values), PIECE):
        piece = values[start : start + PIECE]
        plain = as_plain(piece) if is_small(piece) else None
        if isinstance(plain, list):
            yield from plain
        else:  # an item alone is what is large, or cannot be shown
            yield from (in_pieces(item, depth + 1) for item in piece)


def size(plain: Any) -> int:
    """Return how many bytes plain JSON is written in, written piece by piece where it is large."""
    match plain:
        case dict() if not is_small(plain):
            return size([*plain]) + size([*plain.values()])  # a colon takes as much as a comma
        case list() if len(plain) > PIECE:
            return sum(size(plain[start : start + PIECE]) for start in range(0, len(plain), PIECE))
        case list() if not is_small(plain):
            return sum(size(item) + 2 for item in plain)
        case _:
            return len(json.dumps(plain, ensure_ascii=False, allow_nan=False).encode())
