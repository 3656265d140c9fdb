"""A proposal's fields: every key of schema and value, each with the kind that edits it, if any does."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from bot.slack.form.kind import NOTHING, Kind
from bot.slack.form.kinds import kind_of
from bot.slack.form.schema import Schemas, Shape, mapping
from bot.slack.text import cut, line


@dataclass(frozen=True)
class Field:
    """One key of the proposal.

    `original` is what the proposal holds; `now` is what the field shows: the original, or a default for an
    absent one, or nothing where neither fits the field. A field without a kind is read-only.
    """

    key: str
    block_id: str
    label: str
    description: str
    kind: Kind | None
    required: bool
    nullable: bool
    original: Any
    now: Any

    @property
    def optional(self) -> bool:
        """Tell whether it may be left empty; a misfit may, so that a person is not made to replace it."""
        empty = self.kind is not None and self.kind.can_be_empty(self.now)
        return not self.required or self.nullable or self.misfit or empty

    @property
    def misfit(self) -> bool:
        """Tell whether the proposal holds something that this kind of field cannot show."""
        return self.now is NOTHING and self.original is not NOTHING and self.original is not None


def fields(schema: dict[str, Any] | None, value: dict[str, Any]) -> tuple[Field, ...]:
    """List the fields in the schema's order, then the value's; ids go by sorted key, whatever the order."""
    schemas = Schemas(schema)
    root = schemas.proposal()
    properties = mapping(root.get("properties"))
    required = root.get("required") if isinstance(root.get("required"), list) else []
    keys = list(dict.fromkeys([*properties, *value]))
    ids = {key: f"f:{place}" for place, key in enumerate(sorted(keys))}
    others = root.get("additionalProperties")
    found = []
    for key in keys:
        told = properties.get(key, others if isinstance(others, dict) else {})
        needed = key in (required or []) or (key not in properties and key in value)
        field = _field(key, ids[key], schemas.shape(told), needed, value.get(key, NOTHING))
        found.append(replace(field, label=_label(key, properties.get(key))))
    return _told_apart(found)


def _field(key: str, block_id: str, shape: Shape, required: bool, original: Any) -> Field:
    shown = shape.about.get("default", NOTHING) if original is NOTHING else original
    shown = NOTHING if shown is None else shown
    nullable = shape.nullable or (original is None and shape.about.get("type") is None)
    kind = kind_of(shape, shown, unset=not required or nullable)
    description = shape.about.get("description")
    return Field(
        key=key,
        block_id=block_id,
        label=key,
        description=cut(line(description), 1500) if isinstance(description, str) else "",
        kind=kind,
        required=required,
        nullable=nullable,
        original=original,
        now=shown if kind is not None and shown is not NOTHING and kind.holds(shown) else NOTHING,
    )


def _label(key: str, told: Any) -> str:
    """Take the property's own title: a referenced one is its type's name, not what it is here."""
    title = mapping(told).get("title")
    return cut((line(title) if isinstance(title, str) else "") or _humanised(key), 150)


def _told_apart(found: list[Field]) -> tuple[Field, ...]:
    """Add the key to labels that would read the same."""
    seen = Counter(field.label for field in found)
    return tuple(
        replace(field, label=f"{cut(field.label, 100)} ({cut(line(field.key), 45)})")
        if seen[field.label] > 1
        else field
        for field in found
    )


def _humanised(key: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).replace("_", " ").replace("-", " ")
    text = line(words) or line(key) or "(unnamed)"
    return text[:1].upper() + text[1:].lower() if re.fullmatch(r"[A-Za-z0-9 ]+", text) else text
