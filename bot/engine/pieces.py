"""What a state holds made plain where nobody has to wait: a large one in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bot.approvals.large import is_small
from bot.engine.plain import as_plain, as_text

PIECE = 500
"""Items of a list that are made plain at once; other threads wait for each piece."""

DEEPEST = 8
"""Levels of a large state that are taken apart; what is below is taken whole."""


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
