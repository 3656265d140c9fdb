"""What an edit changed, leaf by leaf: shown on the settled card, kept in the audit, named by the decision."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Any, Literal, Self


class Missing(Enum):
    """The side of a change where there was no value at all, which is not the same as null."""

    MISSING = "missing"


MISSING = Missing.MISSING


@dataclass(frozen=True)
class Change:
    """One leaf that differs.

    `path` is dotted and indexed (`steps[0].host`); a key that would read ambiguously is quoted
    (`labels["a.b"]`); the empty path is the whole value. `before` is `MISSING` for what was added, `after`
    for what was removed; either may be a whole object or list that stands on one side only.
    """

    path: str
    before: Any
    after: Any

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        if self.before is MISSING:
            return "added"
        return "removed" if self.after is MISSING else "changed"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON in which an absent side is an absent key."""
        sides = {"before": self.before, "after": self.after}
        return {"path": self.path, "kind": self.kind} | {k: v for k, v in sides.items() if v is not MISSING}

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(str(item.get("path", "")), item.get("before", MISSING), item.get("after", MISSING))


def changes(before: Any, after: Any) -> tuple[Change, ...]:
    """Compare two JSON values by content and by type: 1, 1.0, "1" and true all differ from each other.

    Order is that of `before`, then of what was added. Of a list whose length changed, what is alike at its
    start and at its end is left out, so that one item taken out is one change; the rest is compared place by
    place. The place of what was removed is the one it had, of what was added the one it has.
    """
    return tuple(_walk(before, after))


def _walk(before: Any, after: Any) -> Iterator[Change]:
    """Go depth first with a stack of our own, so that no nesting can exhaust Python's."""
    waiting = [("", before, after)]
    while waiting:
        path, old, new = waiting.pop()
        if isinstance(old, dict) and isinstance(new, dict):
            keys = [*old, *(key for key in new if key not in old)]
            inner = [(_under(path, key), old.get(key, MISSING), new.get(key, MISSING)) for key in keys]
        elif isinstance(old, list) and isinstance(new, list):
            inner = [(f"{path}[{place}]", *sides) for place, *sides in _aligned(old, new)]
        else:
            if not _same_leaf(old, new):
                yield Change(path, old, new)
            continue
        waiting.extend(reversed(inner))


def _aligned(old: list[Any], new: list[Any]) -> Iterator[tuple[int, Any, Any]]:
    """Pair the items of two lists, without those at the end that only moved."""
    alike = _alike_at_end(old, new) if len(old) != len(new) else 0
    was, now = old[: len(old) - alike], new[: len(new) - alike]
    for place, (before, after) in enumerate(zip_longest(was, now, fillvalue=MISSING)):
        yield place, before, after


def _alike_at_end(old: list[Any], new: list[Any]) -> int:
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if not _same(old[n], new[n])), shorter)
    most = shorter - start
    return next((n for n in range(most) if not _same(old[-1 - n], new[-1 - n])), most)


def _same(old: Any, new: Any) -> bool:
    """Compare whole values, never item by item of lists that differ in length: that would cost 2 ** depth."""
    waiting = [(old, new)]
    while waiting:
        one, other = waiting.pop()
        if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
            waiting.extend((one[key], other[key]) for key in one)
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            waiting.extend(zip(one, other, strict=True))
        elif isinstance(one, dict | list) or not _same_leaf(one, other):
            return False
    return True


def _same_leaf(old: Any, new: Any) -> bool:
    return type(old) is type(new) and (old == new or repr(old) == repr(new))


def _under(path: str, key: str) -> str:
    if not re.fullmatch(r"\w[\w-]*", key):
        quoted = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{quoted}"]'
    return f"{path}.{key}" if path else key
