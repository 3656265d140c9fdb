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

EVERY = "*"
"""Among the names where the proposal is itself an object of passwords, under whatever keys."""

_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.\[\]"]+)')
_INSIDE = ("items", "prefixItems", "additionalItems", "additionalProperties", "anyOf", "oneOf", "allOf")
"""Where a schema has those of what a value holds under no name, or of the value itself."""


def confidential(schema: Any) -> Names:
    """List the properties of `format: password`, as pydantic's SecretStr and OpenAPI have it."""
    if not isinstance(schema, dict):
        return frozenset()
    leads: dict[str, bool] = {}
    found = (name for told in _properties(schema) for name, one in told.items() if _holds(one, schema, leads))
    names = frozenset(found)
    return names | {EVERY} if _holds(schema, schema, leads) else names


def hides(names: Names, key: str) -> bool:
    """Say whether what stands under this key is confidential."""
    return key in names or EVERY in names


def veiled(value: Any, names: Names) -> Any:
    """Return JSON with a mask for each confidential value; what is empty hides nothing."""
    match value:
        case dict() if names:
            return {
                key: MASKED if hides(names, key) and item not in (None, "") else veiled(item, names)
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
    inside = any(hides(names, _key(quoted) or plain) for quoted, plain in _STEP.findall(change.path))
    before, after = (
        MASKED if inside and side not in (MISSING, None, "") else veiled(side, names)
        for side in (change.before, change.after)
    )
    return replace(change, before=before, after=after)


def _key(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _properties(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the properties of every object that a schema tells of."""
    rest = [schema]
    while rest:
        match rest.pop():
            case list() as several:
                rest += several
            case dict() as told:
                if isinstance(told.get("properties"), dict):
                    yield told["properties"]
                rest += told.values()


def _holds(told: Any, root: dict[str, Any], leads: dict[str, bool]) -> bool:
    """Tell whether a value is a password, or a list or an object of them.

    Which references lead to one is kept in `leads`, so that none is followed again and again.
    """
    rest: list[tuple[Any, str | None]] = [(told, None)]
    followed: dict[str, str | None] = {}  # from which other
    while rest:
        one, via = rest.pop()
        if not isinstance(one, dict):
            continue
        reference = one.get("$ref") if isinstance(one.get("$ref"), str) else None
        if one.get("format") == "password" or (reference is not None and leads.get(reference)):
            while via is not None:
                leads[via], via = True, followed[via]
            return True
        if reference is not None and reference not in leads and reference not in followed:
            followed[reference] = via
            rest.append((pointed(reference, root), reference))
        by_pattern = one.get("patternProperties")
        inner = [*by_pattern.values()] if isinstance(by_pattern, dict) else []
        for keyword in _INSIDE:
            parts = one.get(keyword)
            inner += parts if isinstance(parts, list) else [parts]
        rest += [(part, via) for part in inner]
    leads.update(dict.fromkeys(followed, False))
    return False
