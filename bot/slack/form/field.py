"""One key of a proposal: what it is called, what it holds, and the kind of field that edits it, if any."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.approvals.dialects.leaves import BETWEEN
from bot.slack.blocks.text import cut, line
from bot.slack.form.kind import NOTHING, Kind, Path
from bot.slack.form.schema import Schema, mapping


@dataclass(frozen=True)
class Field:
    """One key of an object.

    `original` is what the proposal holds, `shown` as much of it as anybody may read; `now` is what the field
    has: the original, or a default for an absent one, or nothing where neither fits the field. A field
    without a kind is read-only, `why` says the reason where it is not plain. `heading` names the objects
    around it; a `loose` one is in an object that may stay absent. A `fixed` one is read-only because its
    schema says so.
    """

    path: Path
    block_id: str
    label: str
    heading: str
    required: bool
    loose: bool
    original: Any
    shown: Any
    now: Any = NOTHING
    nullable: bool = False
    kind: Kind | None = None
    description: str = ""
    why: str = ""
    fixed: bool = False

    @property
    def key(self) -> str:
        return str(self.path[-1])

    @property
    def title(self) -> str:
        """The label with what is around it."""
        return cut(f"{self.heading}{BETWEEN}{self.label}" if self.heading else self.label, 150)

    @property
    def needed(self) -> bool:
        """Tell whether an object that is there must hold a value under this key."""
        return self.required and not self.nullable

    @property
    def may_be_absent(self) -> bool:
        return not self.needed or self.loose

    @property
    def optional(self) -> bool:
        """Tell whether it may be left empty; a misfit may, so that a person is not made to replace it."""
        empty = self.kind is not None and self.kind.can_be_empty(self.now)
        return self.may_be_absent or self.misfit or empty

    @property
    def misfit(self) -> bool:
        """Tell whether the proposal holds something that this kind of field cannot show."""
        return self.now is NOTHING and self.original is not NOTHING and self.original is not None


def described(about: Schema) -> str:
    description = about.get("description")
    return cut(line(description), 1500) if isinstance(description, str) else ""


def told_apart(told: Sequence[tuple[str, Any]]) -> list[str]:
    """Label each key by its property's title or itself; labels that would read the same get the key."""
    labels = [named(key, property_) for key, property_ in told]
    seen = Counter(labels)
    return [
        f"{cut(label, 100)} ({cut(line(key), 45)})" if seen[label] > 1 else label
        for label, (key, _) in zip(labels, told, strict=True)
    ]


def named(key: str, told: Any) -> str:
    """Take the property's own title: a referenced one is its type's name, not what it is here."""
    title = mapping(told).get("title")
    return cut((line(title) if isinstance(title, str) else "") or _humanised(key), 150)


def _humanised(key: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).replace("_", " ").replace("-", " ")
    text = line(words) or line(key) or "(unnamed)"
    return text[:1].upper() + text[1:].lower() if re.fullmatch(r"[A-Za-z0-9 ]+", text) else text
