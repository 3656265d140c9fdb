"""An object taken apart: each value that a person reads by itself, under the names that lead to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

BETWEEN = " \u203a "
"""Stands between the names of an object and of what is in it."""

MOST_FACTS = 200
"""Lines that one question has; what is beyond is told as JSON."""

_LONGEST_FACT = 300
"""Characters that a line still tells whole."""

_DEEPEST = 3
"""Objects within objects that are opened."""


def leaves(told: dict[str, Any]) -> dict[str, Any]:
    """Open the objects in it; none where two values would have one name, or there are too many of them."""
    opened = [leaf for name, value in told.items() for leaf in _opened(name, value, _DEEPEST)]
    return dict(opened) if len({name for name, _ in opened}) == len(opened) <= MOST_FACTS else told


def fact(value: Any) -> str | None:
    """Say a short value, or a list of them, in a line; None where a line would not tell all of it."""
    match value:
        case str():
            return value if len(value) <= _LONGEST_FACT and "\n" not in value.strip() else None
        case None | int() | float():
            return json.dumps(value)
        case [_, *_]:
            told = [fact(one) for one in value if not isinstance(one, list)]
            if len(told) < len(value) or any(not one or ", " in one for one in told):
                return None
            text = ", ".join(map(str, told))
            return text if len(text) <= _LONGEST_FACT else None
        case _:
            return None


def prose(value: Any) -> str | None:
    """Say a text, or a list of texts of a line each, as lines; None for anything else."""
    match value:
        case str():
            return value
        case [_, *_] if all(isinstance(one, str) and one.strip() and "\n" not in one for one in value):
            return "\n".join(f"{place}. {one}" for place, one in enumerate(value, 1))
        case _:
            return None


def _opened(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not value or not depth:
        yield name, value
        return
    for key, inner in value.items():
        yield from _opened(f"{name}{BETWEEN}{key}", inner, depth - 1)
