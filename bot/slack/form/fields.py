"""What a proposal consists of: fields, objects with fields of their own, and lists of such objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from bot.slack.form.field import Field, described, told_apart
from bot.slack.form.kind import NOTHING, Path
from bot.slack.form.kinds import kind_of
from bot.slack.form.objects import items_of, object_of
from bot.slack.form.schema import Schema, Schemas, Shape, mapping

DEEPEST = 3
"""Objects within objects that the form opens; deeper ones stay as they are."""

MOST_ROWS = 20

_MOST_OPENED = 300
"""Fields and objects after which no further object is opened: far more than any view can hold."""


@dataclass(frozen=True)
class Group:
    """An object: `held` is what its fields were made from, where it is absent `optional`ly its default."""

    field: Field
    parts: tuple[Part, ...]
    held: dict[str, Any]
    optional: bool


@dataclass(frozen=True)
class Rows:
    """A list of objects, edited one at a time; `held` is the list as it stands."""

    field: Field
    items: Shape
    held: list[dict[str, Any]]
    least: int
    most: int
    addable: bool


Part = Field | Group | Rows


def fields(schema: dict[str, Any] | None, value: dict[str, Any]) -> tuple[Part, ...]:
    """List the parts in the schema's order, then the value's; ids go by sorted key, whatever the order."""
    schemas = Schemas(schema)
    return _Opening(schemas).parts(schemas.proposal(), value, _At())


def item_fields(
    schema: dict[str, Any] | None, rows: Rows, item: dict[str, Any], place: int, block_id: str
) -> tuple[Part, ...]:
    """List the parts of one object of a list, in which no further list of objects is opened."""
    schemas = Schemas(schema)
    told = object_of(schemas, rows.items, item or NOTHING) or {}
    at = _At(path=(*rows.field.path, place), prefix=f"{block_id}.", lists=False)
    return _Opening(schemas).parts(told, item, at)


@dataclass(frozen=True)
class _At:
    """Where an object stands; `loose` where it may stay absent, and all of it empty."""

    path: Path = ()
    prefix: str = "f:"
    heading: str = ""
    depth: int = 0
    loose: bool = False
    lists: bool = True


@dataclass
class _Opening:
    schemas: Schemas
    opened: Iterator[int] = field(default_factory=lambda: iter(range(_MOST_OPENED)))

    def parts(self, told: Schema, held: dict[str, Any], at: _At) -> tuple[Part, ...]:
        properties = mapping(told.get("properties"))
        required = told.get("required") if isinstance(told.get("required"), list) else []
        keys = list(dict.fromkeys([*properties, *held]))
        ids = {key: f"{at.prefix}{place}" for place, key in enumerate(sorted(keys))}
        others = told.get("additionalProperties")
        found = []
        for key in keys:
            named = properties.get(key, others if isinstance(others, dict) else {})
            needed = key in (required or []) or (key not in properties and key in held)
            one = Field(
                path=(*at.path, key),
                block_id=ids[key],
                label=key,
                heading=at.heading,
                required=needed,
                loose=at.loose,
                original=held.get(key, NOTHING),
            )
            found.append((one, self.schemas.shape(named), properties.get(key)))
        labels = told_apart([(one.key, told) for one, _, told in found])
        return tuple(
            self._part(replace(one, label=label), shape, at)
            for (one, shape, _), label in zip(found, labels, strict=True)
        )

    def _part(self, one: Field, shape: Shape, at: _At) -> Part:
        shown = shape.about.get("default", NOTHING) if one.original is NOTHING else one.original
        shown = NOTHING if shown is None else shown
        nullable = shape.nullable or (one.original is None and shape.about.get("type") is None)
        fixed = shape.about.get("readOnly") is True
        one = replace(one, description=described(shape.about), nullable=nullable, fixed=fixed)
        kind = kind_of(self.schemas, shape, shown, unset=one.may_be_absent)
        if kind is not None:
            return replace(
                one, kind=kind, now=shown if shown is not NOTHING and kind.holds(shown) else NOTHING
            )
        if next(self.opened, None) is None:
            return one
        if (told := object_of(self.schemas, shape, shown)) is not None:
            return self._group(one, told, shown, at)
        return self._rows(one, shape, shown, at)

    def _group(self, one: Field, told: Schema, shown: Any, at: _At) -> Part:
        """Open an object; one that is absent only where its own is there, which ends what is recursive."""
        if at.depth >= DEEPEST:
            return replace(one, why="it is nested too deeply to be edited here")
        absent = not isinstance(one.original, dict) and one.may_be_absent
        if shown is NOTHING and at.loose:
            return one
        held = {} if shown is NOTHING else shown
        inside = replace(
            at,
            path=one.path,
            prefix=f"{one.block_id}.",
            heading=one.title,
            depth=at.depth + 1,
            loose=at.loose or absent,
        )
        parts = self.parts(told, held, inside)
        return Group(one, parts, held, absent) if parts else one

    def _rows(self, one: Field, shape: Shape, shown: Any, at: _At) -> Part:
        found = items_of(self.schemas, shape, shown)
        if found is None or (shown is NOTHING and at.loose):
            return one
        if not at.lists:
            return replace(one, why="a list in an object of a list is not edited here")
        held = [] if shown is NOTHING else shown
        if len(held) > MOST_ROWS:
            return replace(one, why=f"of its {len(held)} objects a form can hold {MOST_ROWS}")
        most = min(found.most, MOST_ROWS)
        return Rows(one, found.items, held, found.least, most, addable=found.addable)
