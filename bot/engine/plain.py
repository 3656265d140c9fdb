"""What a state holds as plain JSON that Postgres takes, whatever a workflow left in it."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_jsonable_python

MOST_BITS = 14_000
"""Bits of a whole number that Python writes in decimal (4,300 digits)."""


def as_plain(values: Any) -> Any:
    """Return `values` as plain JSON: unknown types by their repr, bytes as base64, NaN as null.

    Characters that Postgres refuses are left out. What cannot be shown at all (a cycle, a nest too deep) is
    replaced by an object that says so.
    """
    try:
        plain = to_jsonable_python(
            values, fallback=_shown, inf_nan_mode="null", bytes_mode="base64", timedelta_mode="iso8601"
        )
        return plain if _is_storable(plain) else _storable(plain)
    except Exception as error:  # noqa: BLE001  a field that a workflow's own class computes may raise anything
        return {"unreadable": as_text(_shown(error))[:500]}


def as_text(text: str) -> str:
    """Return text that Postgres takes: without NUL characters and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _is_storable(plain: Any) -> bool:
    """Whether Postgres takes it as it is; to write it out is much faster than to walk through it."""
    try:
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, check_circular=False)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in text


def _storable(value: Any) -> Any:
    match value:
        case str():
            return as_text(value)
        case dict():
            return {as_text(str(key)): _storable(item) for key, item in value.items()}
        case list():
            return [_storable(item) for item in value]
        case float() if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN
            return None
        case int() if value.bit_length() > MOST_BITS:
            raise ValueError(f"a number of {value.bit_length():,} bits")
        case _:
            return value


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  a workflow's own class may raise anything
        return f"<{type(value).__name__}>"
