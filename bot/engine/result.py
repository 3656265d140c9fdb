"""A graph's final state as its thread keeps it."""

from __future__ import annotations

from functools import partial
from typing import Any

from bot.approvals.large import beside
from bot.engine.pieces import in_pieces, size

LARGEST = 256 * 1024
"""Bytes of a result that are kept with the thread; the whole stays in LangGraph's checkpoint."""


async def as_result(values: Any) -> Any:
    """Return what `as_json` does; that may take too long for a transaction."""
    return await beside(partial(as_json, values), values)


def as_json(values: Any) -> Any:
    """Return `values` as plain JSON that Postgres takes; of what is too large, an object that says so.

    A result must not keep its thread from ending, whatever is in it.
    """
    kept = in_pieces(values)
    many = size(kept)
    if many > LARGEST:
        return {"cut": True, "bytes": many, "keys": sorted(kept) if isinstance(kept, dict) else None}
    return kept
