"""What takes long since it is large goes to a thread, so that nobody in the event loop waits behind it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, TypeVar

SMALL = 5_000
"""Values in a state, at any depth, that the loop deals with: some milliseconds. More go to a thread."""

TEXT = 100
"""Characters that take as long as a value."""

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
