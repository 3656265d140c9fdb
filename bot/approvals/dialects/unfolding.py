"""A value as it comes back from a checkpoint: of a type that is not known, its contents."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from bot.approvals.canonical import DEEPEST

_PLAIN = frozenset({str, int, float, bool, type(None)})


def unfolded(value: Any, levels: int = DEEPEST + 1) -> Any:
    """Unfold models, dataclasses and enums, and write moments, decimals and UUIDs as JSON usually has them.

    A pause is read when its node raises it, and again from its checkpoint: unfolded, both ask the same.
    Source: langgraph 1.2, checkpoint/serde/jsonplus.py, with strict msgpack.
    """
    if levels < 0 or type(value) in _PLAIN:
        return value
    match inside := _contents(value):
        case dict():
            return {key: unfolded(item, levels - 1) for key, item in inside.items()}
        case list() | tuple():
            return [unfolded(item, levels - 1) for item in inside]
        case date() | time():
            return inside.isoformat()
        case Decimal() | UUID():
            return str(inside)
        case _:
            return inside


def _contents(value: Any) -> Any:
    match value:
        case BaseModel():
            return value.model_dump()
        case Enum():
            return _contents(value.value)
        case tuple() if hasattr(value, "_asdict"):
            return value._asdict()
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {one.name: getattr(value, one.name) for one in fields(value)}
        case _:
            return value
