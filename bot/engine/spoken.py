"""A conversation in a state as people follow it: who said what, and called which tool."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import BaseMessage


def spoken(values: Any) -> Any:
    """Return a state whose fields that hold messages hold what was said in them."""
    if not isinstance(values, dict):
        return values
    return {name: _said_in(value) for name, value in values.items()}


def _said_in(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [_said(item) if isinstance(item, BaseMessage) else item for item in value]


def _said(message: BaseMessage) -> dict[str, Any]:
    calls = [{call["name"]: call["args"]} for call in getattr(message, "tool_calls", ())]
    text = str(message.text)
    words = {message.type: text} if text or not calls else {}
    return words | ({"calls": calls} if calls else {})
