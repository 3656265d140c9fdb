"""A graph's final state as JSON that Postgres takes, whatever a workflow left in it."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_jsonable_python

LARGEST = 256 * 1024
"""Bytes of a result that are kept with the thread; the whole stays in LangGraph's checkpoint."""


def as_json(values: Any) -> Any:
    """Return `values` as plain JSON: unknown types by their repr, NaN as null, NUL characters removed."""
    plain = to_jsonable_python(values, fallback=repr, inf_nan_mode="null")
    text = json.dumps(plain, ensure_ascii=False, default=repr).replace("\\u0000", "")
    if len(text) > LARGEST:
        return {"cut": True, "bytes": len(text), "keys": sorted(plain) if isinstance(plain, dict) else None}
    return json.loads(text)


def as_text(text: str) -> str:
    """Return text that Postgres takes: without NUL characters and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
