"""What of a proposal only its graph reads: what its schema calls a password."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from bot.approvals.changes import MISSING, Change
from bot.approvals.pointer import pointed
from bot.approvals.secrets import MASKED

Names = frozenset[str]
"""Keys whose values are confidential, wherever in the proposal they stand."""

_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.\[\]"]+)')
_DEEPEST = 40
_INSIDE = ("items", "prefixItems", "additionalItems", "additionalProperties", "anyOf", "oneOf", "allOf")
"""Where a schema has those of what a value holds under no name, or of the value itself."""


def confidential(schema: Any) -> Names:
    """List the properties of `format: password`, as pydantic's SecretStr and OpenAPI have it."""
    return frozenset(_Passwords(schema).names(schema, _DEEPEST)) if isinstance(schema, dict) else frozenset()


def veiled(value: Any, names: Names) -> Any:
    """Return JSON with a mask for each confidential value; what is empty hides nothing."""
    match value:
        case dict() if names:
            return {
                key: MASKED if key in names and item not in (None, "") else veiled(item, names)
                for key, item in value.items()
            }
        case list() if names:
            return [veiled(item, names) for item in value]
        case _:
            return value


def veiled_proposal(told: dict[str, Any], names: Names) -> dict[str, Any]:
    """Return a request or a decision, as JSON, with the masks in its proposal."""
    return {**told, "proposal": veiled(told["proposal"], names)} if "proposal" in told else told


def veiled_changes(changes: Iterable[Change], names: Names) -> tuple[Change, ...]:
    """Return the changes with the same masks: that something confidential changed is still told."""
    return tuple(_veiled_change(change, names) for change in changes)


def _veiled_change(change: Change, names: Names) -> Change:
    inside = any((_key(quoted) or plain) in names for quoted, plain in _STEP.findall(change.path))
    before, after = (
        MASKED if inside and side not in (MISSING, None, "") else veiled(side, names)
        for side in (change.before, change.after)
    )
    return replace(change, before=before, after=after)


def _key(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


class _Passwords:
    """Looks for passwords in one schema; each reference is followed once."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._behind: dict[str, bool] = {}

    def names(self, schema: Any, depth: int) -> Iterator[str]:
        if not depth:
            return
        match schema:
            case list():
                for one in schema:
                    yield from self.names(one, depth - 1)
            case dict():
                told = schema.get("properties")
                if isinstance(told, dict):
                    yield from (name for name, one in told.items() if self._is_one(one, depth))
                for one in schema.values():
                    yield from self.names(one, depth - 1)

    def _is_one(self, told: Any, depth: int) -> bool:
        """Tell whether a property is a password, or a list or an object of them."""
        if not isinstance(told, dict) or not depth:
            return False
        if told.get("format") == "password" or self._is_behind(told.get("$ref"), depth):
            return True
        by_pattern = told.get("patternProperties")
        inner = [*by_pattern.values()] if isinstance(by_pattern, dict) else []
        for keyword in _INSIDE:
            parts = told.get(keyword)
            inner += parts if isinstance(parts, list) else [parts]
        return any(self._is_one(one, depth - 1) for one in inner)

    def _is_behind(self, reference: Any, depth: int) -> bool:
        if not isinstance(reference, str):
            return False
        if reference not in self._behind:
            self._behind[reference] = False
            self._behind[reference] = self._is_one(pointed(reference, self._root), depth - 1)
        return self._behind[reference]
