"""Canonical JSON and its hash: the fingerprint of exactly what a person was shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from math import isfinite
from typing import Any

from bot.approvals.errors import BadRequest

DEEPEST = 40
"""Levels of nesting a payload may have; Python's and Postgres' own limits lie far above."""

LARGEST = 512 * 1024
"""Bytes of canonical JSON a payload may have."""

_LEAST, _GREATEST = -(2**63), 2**64 - 1


def canonical(value: Any) -> bytes:
    """Serialise plain JSON with sorted keys and no spaces, so that equal values have equal bytes.

    Raises `BadRequest` for what is not plain JSON: NaN, infinity, other types, cycles, NUL characters
    (Postgres' jsonb refuses those), whole numbers of more than 64 bits, more than `DEEPEST` levels or
    `LARGEST` bytes.
    """
    _check(value, DEEPEST)
    raw = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        encoded = raw.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("The payload holds half a character (a lone surrogate); send valid text.") from error
    if len(encoded) > LARGEST:
        raise BadRequest(f"The payload has {len(encoded):,} bytes; at most {LARGEST:,} are allowed.")
    return encoded


def payload_hash(value: Any) -> str:
    """Hash the canonical JSON of `value`: 64 hexadecimal digits of SHA-256."""
    return hashlib.sha256(canonical(value)).hexdigest()


def is_storable(number: int) -> bool:
    """Whether LangGraph can keep a whole number: msgpack has 64 bits for it."""
    return _LEAST <= number <= _GREATEST


def _check(value: Any, levels: int) -> None:
    if levels < 0:
        raise BadRequest(f"The payload is nested deeper than {DEEPEST} levels; send a flatter one.")
    match value:
        case str() if "\x00" in value:
            raise BadRequest("The payload holds a NUL character; remove it.")
        case str() | None | bool():
            return
        case int() if not is_storable(value):
            raise BadRequest("The payload holds a whole number of more than 64 bits; send it as text.")
        case float() if not isfinite(value):
            raise BadRequest("The payload holds NaN or infinity, which JSON does not know.")
        case int() | float():
            return
        case list() | tuple():
            _check_all(value, levels)
        case dict():
            _check_keys(value)
            _check_all(value.values(), levels)
        case _:
            kind = type(value).__name__
            raise BadRequest(f"The payload holds a {kind}, which is not JSON; send model_dump(mode='json').")


def _check_all(values: Iterable[Any], levels: int) -> None:
    for value in values:
        _check(value, levels - 1)


def _check_keys(value: dict[Any, Any]) -> None:
    for key in value:
        if not isinstance(key, str):
            raise BadRequest(f"The payload has the key {key!r}; JSON keys are text.")
        _check(key, 0)
