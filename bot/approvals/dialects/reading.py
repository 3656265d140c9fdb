"""An interrupt's value read: which dialect it speaks, and what it asks in our words."""

from __future__ import annotations

from typing import Any

from bot.approvals.canonical import canonical
from bot.approvals.decision import OF
from bot.approvals.dialects import inbox, langchain, plain, schema
from bot.approvals.dialects.asked import Asked, Original
from bot.approvals.dialects.unfolding import unfolded
from bot.approvals.errors import BadRequest
from bot.approvals.request import parse_request


def read(value: Any, response_schema: dict[str, Any] | None = None) -> Asked:
    """Turn an interrupt's value into a request; raises `BadRequest` for what cannot be asked.

    `response_schema` is the interrupt's own. A shape that is recognised but broken is refused, never taken
    for a plain one: its graph could not read the answer.
    """
    value = unfolded(value)
    if isinstance(value, dict) and "signoff" in value:
        return Asked(parse_request(value), "signoff", of=(response_schema or {}).get(OF))
    original = Original(value, response_schema)
    canonical(response_schema)
    recognised = _recognised(value, original)
    if recognised is not None:
        return recognised
    unfit = _is_unfit(value)
    said = plain.told_raw(value) if unfit else plain.told(value)
    kept = Original(None if unfit else value, response_schema)
    if response_schema is not None and schema.answer_to(response_schema) is not None:
        return schema.read_schema(said, response_schema, kept)
    if unfit:
        return Asked(plain.request(said, ("respond", "reject")), "raw", kept)
    return Asked(plain.request(said), "plain", kept)


def _recognised(value: Any, original: Original) -> Asked | None:
    if langchain.is_per_call(value):
        canonical(original.to_json())
        return langchain.read_per_call(original)
    if langchain.is_batched(value):
        canonical(value)
        return langchain.read_batched(original)
    if inbox.is_inbox(value):
        canonical(value)
        return inbox.read_inbox(original)
    return None


def _is_unfit(value: Any) -> bool:
    """Tell whether it is no plain JSON, or more of it than can be kept."""
    try:
        canonical(value)
    except BadRequest:
        return True
    return False
