"""How a run changed a state, in few and short words that may be kept: secrets masked, large values cut."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any

from bot.approvals.changes import MISSING, Change, changes
from bot.approvals.secrets import Hidden, Secrets

MOST = 40
"""Changes that are kept of one run."""

LONGEST = 200
"""Characters of a value that are kept; of a longer one its beginning and its length."""

Told = dict[str, Any]

_PLACE = re.compile(r"\[\d+\]\Z")


def difference(before: Mapping[str, Any], after: Mapping[str, Any], secrets: Secrets) -> list[Told]:
    """Compare two states of plain JSON; returns at most `MOST` changes, the last of them a count of the rest.

    Each is `{"path", "kind", "before"?, "after"?}`; items added at a list's end are one change of the kind
    `appended` with their number as `count`. A value is JSON, or text that begins it where it is long.
    """
    found = _grouped(changes(secrets.hidden(dict(before)), secrets.hidden(dict(after))))
    told = [_told(one) for one in islice(found, MOST)]
    more = sum(1 for _ in found)
    if not more:
        return told
    return [*told[: MOST - 1], {"path": "", "kind": "more", "count": more + 1}]


def worded(told: Told) -> str:
    """Say one change in a line: "amount: 10 → 20", "messages: +2"."""
    path = told["path"] or "all of it"
    match told["kind"]:
        case "more":
            return f"… and {told['count']} more"
        case "appended":
            return f"{path}: +{told['count']} {_json(told['after'])}"
        case "added":
            return f"{path}: (nothing) → {_json(told['after'])}"
        case "removed":
            return f"{path}: {_json(told['before'])} → (nothing)"
        case _:
            return f"{path}: {_json(told['before'])} → {_json(told['after'])}"


def done(changes: Iterable[Told]) -> dict[str, str]:
    """Say what each changed field is now, under its path."""
    return {told["path"] or "and": _now(told) for told in changes}


def _now(told: Told) -> str:
    match told["kind"]:
        case "more":
            return f"{told['count']} more changes"
        case "removed":
            return "(nothing left)"
        case "appended":
            return f"+{told['count']} {_plainly(told['after'])}"
        case _:
            return _plainly(told["after"])


def _plainly(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _grouped(found: tuple[Change, ...]) -> Iterator[tuple[str | None, list[Change]]]:
    """Take the changes one by one, but those that a list grew by together, with its path."""
    for grown, group in groupby(found, key=_appended_to):
        if grown is None:
            yield from ((None, [change]) for change in group)
        else:
            yield grown, list(group)


def _told(group: tuple[str | None, list[Change]]) -> Told:
    grown, found = group
    if grown is None:
        return _one(found[0])
    items = [change.after for change in found]
    return {"path": _cut(grown), "kind": "appended", "count": len(items), "after": _brief(items)}


def _appended_to(change: Change) -> str | None:
    """Return the path of the list that it is a new item of."""
    if change.before is not MISSING or not _PLACE.search(change.path):
        return None
    return _PLACE.sub("", change.path)


def _one(change: Change) -> Told:
    sides = {"before": change.before, "after": change.after}
    kept = {side: _brief(value) for side, value in sides.items() if value is not MISSING}
    return {"path": _cut(change.path), "kind": change.kind, **kept}


def _brief(value: Any) -> Any:
    if isinstance(value, str):
        return _cut(value)
    text = _json(value)
    return json.loads(text) if len(text) <= LONGEST else _cut(text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_shown)


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Hidden) else type(value).__name__


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"
