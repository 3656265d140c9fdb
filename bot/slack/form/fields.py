"""What a proposal consists of: fields, objects with fields of their own, and lists of such objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from bot.approvals.confidential import Names, confidential, hides, veiled
from bot.slack.form.alternatives import Alternatives, alternatives_of
from bot.slack.form.field import Field, described, told_apart
from bot.slack.form.kind import NOTHING, Path
from bot.slack.form.kinds import kind_of
from bot.slack.form.objects import items_of, object_of
from bot.slack.form.schema import Schema, Schemas, Shape, listed, mapping
from bot.slack.form.veiled import Veiled
from bot.slack.form.written import written

DEEPEST = 3
"""Objects within objects that the form opens; deeper ones stay as they are."""

MOST_ROWS = 20

_MOST_OPENED = 300
"""Fields and objects after which no further object is opened: far more than any view can hold."""


@dataclass(frozen=True)
class Group:
    """An object: `held` is what its fields were made from, its default where it is absent.

    An `optional` one is absent and stays so while nothing in it is touched, whether or not its own is.

    An absent one that may be of several kinds has the fields of them all.
    """

    field: Field
    parts: tuple[Part, ...]
    held: dict[str, Any]
    optional: bool
    kinds: Alternatives | None = None


@dataclass(frozen=True)
class Rows:
    """A list of objects, edited one at a time; `held` is the list as it stands, `hidden` what is masked."""

    field: Field
    items: Shape
    held: list[dict[str, Any]]
    least: int
    most: int
    addable: bool
    hidden: Names


Part = Field | Group | Rows


def fields(schema: dict[str, Any] | None, value: dict[str, Any]) -> tuple[Part, ...]:
    """List the parts in the schema's order, then the value's; ids go by sorted key, whatever the order."""
    opening = _Opening.of(schema)
    return opening.parts(opening.schemas.proposal(), value, _At())


def item_fields(
    schema: dict[str, Any] | None, rows: Rows, item: dict[str, Any], place: int, block_id: str
) -> tuple[Part, ...]:
    """List the parts of one object of a list, in which no further list of objects is opened."""
    opening = _Opening.of(schema)
    told = object_of(opening.schemas, rows.items, item or NOTHING) or {}
    at = _At(path=(*rows.field.path, place), prefix=f"{block_id}.", lists=False)
    return opening.parts(told, item, at)


@dataclass(frozen=True)
class _At:
    """Where an object stands; `loose` where it may stay absent, and all of it empty.

    Where the value of one key, `by`, tells which others belong to the object, those may stay empty.
    """

    path: Path = ()
    prefix: str = "f:"
    heading: str = ""
    depth: int = 0
    loose: bool = False
    lists: bool = True
    by: str | None = None


@dataclass
class _Opening:
    """Opens one proposal; `examples` reads schemas by itself, so that no example costs a field its own."""

    schemas: Schemas
    examples: Schemas
    hidden: Names
    opened: Iterator[int] = field(default_factory=lambda: iter(range(_MOST_OPENED)))

    @classmethod
    def of(cls, schema: dict[str, Any] | None) -> Self:
        return cls(Schemas(schema), Schemas(schema), confidential(schema))

    def parts(self, told: Schema, held: dict[str, Any], at: _At) -> tuple[Part, ...]:
        properties, others = mapping(told.get("properties")), told.get("additionalProperties")
        required = listed(told.get("required"))
        shown = veiled(held, self.hidden)
        keys = list(dict.fromkeys([*properties, *held]))
        ids = {key: f"{at.prefix}{place}" for place, key in enumerate(sorted(keys))}
        labels = told_apart([(key, properties.get(key)) for key in keys])
        parts = []
        for key, label in zip(keys, labels, strict=True):
            schema = properties.get(key, others if isinstance(others, dict) else {})
            one = Field(
                path=(*at.path, key),
                block_id=ids[key],
                label=label,
                heading=at.heading,
                required=key in required or key not in properties,
                loose=at.loose or at.by not in (None, key),
                original=held.get(key, NOTHING),
                shown=shown.get(key, NOTHING),
            )
            parts.append(self._fillable(self._part(one, self.schemas.shape(schema), at), schema))
        return tuple(parts)

    def _fillable(self, part: Part, schema: Schema) -> Part:
        """Give what must be there, and is not, a field of JSON where it has no other: it had to be missed."""
        if not isinstance(part, Field) or part.kind is not None or part.fixed:
            return part
        if part.original is not NOTHING or not part.required:
            return part
        return replace(part, kind=written(self.examples, part.key, schema, self.hidden))

    def _part(self, one: Field, shape: Shape, at: _At) -> Part:
        shown = shape.about.get("default", NOTHING) if one.original is NOTHING else one.original
        shown = NOTHING if shown is None else shown
        nullable = shape.nullable or (one.original is None and shape.about.get("type") is None)
        fixed = shape.about.get("readOnly") is True
        one = replace(one, description=described(shape.about), nullable=nullable, fixed=fixed)
        if hides(self.hidden, one.key) and shown not in (NOTHING, ""):
            return self._veiled(one, shape, shown)
        kind = kind_of(self.schemas, shape, shown, unset=one.may_be_absent)
        if kind is not None:
            shown = _certain(shape) if shown is NOTHING and one.required else shown
            return replace(
                one, kind=kind, now=shown if shown is not NOTHING and kind.holds(shown) else NOTHING
            )
        if next(self.opened, None) is None:
            return one
        if (told := object_of(self.schemas, shape, shown)) is not None:
            return self._group(one, told, shown, at)
        if shown is NOTHING and (kinds := alternatives_of(self.schemas, shape)) is not None:
            return self._group(one, kinds.told, shown, at, kinds)
        return self._rows(one, shape, shown, at)

    def _veiled(self, one: Field, shape: Shape, now: Any) -> Field:
        """Give what is confidential a field to replace it, that does not show it."""
        kind = kind_of(self.schemas, shape, NOTHING, unset=False)
        if kind is None:
            return replace(one, why="it is confidential")
        return replace(one, kind=Veiled(kind), now=now)

    def _group(
        self, one: Field, told: Schema, shown: Any, at: _At, kinds: Alternatives | None = None
    ) -> Part:
        """Open an object. One that may stay absent needs its own to be there: that ends what is recursive."""
        if at.depth >= DEEPEST:
            return replace(one, why="it is nested too deeply to be edited here")
        absent = not isinstance(one.original, dict)
        if shown is NOTHING and at.loose and not one.needed:
            return one
        held = {} if shown is NOTHING else shown
        inside = replace(
            at,
            path=one.path,
            prefix=f"{one.block_id}.",
            heading=one.title,
            depth=at.depth + 1,
            loose=at.loose or (absent and one.may_be_absent),
            by=kinds.key if kinds else None,
        )
        parts = self.parts(told, held, inside)
        return Group(one, parts, held, absent and not one.needed, kinds) if parts else one

    def _rows(self, one: Field, shape: Shape, shown: Any, at: _At) -> Part:
        found = items_of(self.schemas, shape, shown)
        if found is None or (shown is NOTHING and at.loose and not one.needed):
            return one
        if not at.lists:
            return replace(one, why="a list in an object of a list is not edited here")
        held = [] if shown is NOTHING else shown
        if len(held) > MOST_ROWS:
            return replace(one, why=f"of its {len(held)} objects a form can hold {MOST_ROWS}")
        most = min(found.most, MOST_ROWS)
        return Rows(one, found.items, held, found.least, most, addable=found.addable, hidden=self.hidden)


def _certain(shape: Shape) -> Any:
    """Return the one value that a property takes; nobody says yes by leaving a field as it is."""
    only = shape.about.get("const", NOTHING)
    return NOTHING if isinstance(only, bool) else only
