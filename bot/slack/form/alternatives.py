"""Objects of which one is to be chosen, as one object: the choice, and the fields of them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.slack.form.field import named
from bot.slack.form.schema import Schema, Schemas, Shape, listed, mapping


@dataclass(frozen=True)
class Alternatives:
    """Which keys belong to each alternative, by the constant that it has under `key`."""

    key: str
    told: Schema
    owned: dict[Any, frozenset[str]]

    def keys(self, chosen: Any) -> frozenset[str]:
        """Return the keys of the alternative that was chosen; where none was, the one that chooses."""
        known = isinstance(chosen, str | int) and chosen in self.owned
        return self.owned[chosen] if known else frozenset({self.key})


def alternatives_of(schemas: Schemas, shape: Shape) -> Alternatives | None:
    """Read a union of objects that one constant of each tells apart; None for any other."""
    if len(shape.branches) < 2 or shape.about.get("readOnly") is True:
        return None
    every = [mapping(branch.get("properties")) for branch in shape.branches]
    for key in every[0]:
        found = [_constant(schemas.resolved(told[key])) for told in every if key in told]
        values = [value for one in found for value in one]
        if len(set(values)) == len(values) == len(every):
            return _together(schemas, key, dict(zip(values, shape.branches, strict=True)))
    return None


def _together(schemas: Schemas, key: str, every: dict[Any, Schema]) -> Alternatives:
    """Put the fields of them all into one object; it requires what all that have a field require."""
    held = {value: mapping(one.get("properties")) for value, one in every.items()}
    chosen = {"title": named(key, None), "enum": list(every)}
    told: Schema = {"type": "object", "properties": {key: chosen}, "required": [key]}
    for name in dict.fromkeys(name for one in held.values() for name in one if name != key):
        owners = {value: schemas.resolved(one[name]) for value, one in held.items() if name in one}
        told["properties"][name] = _shared(name, owners, everywhere=len(owners) == len(every))
        if all(name in listed(every[value].get("required")) for value in owners):
            told["required"].append(name)
    return Alternatives(key, told, {value: frozenset(one) for value, one in held.items()})


def _shared(name: str, owners: dict[Any, Schema], *, everywhere: bool) -> Schema:
    """Say whose field it is where it is not everybody's, and allow what any of them does."""
    first, *others = owners.values()
    whose = "" if everywhere else f" ({', '.join(map(str, owners))})"
    title = named(name, first) + whose
    same = all(other == first for other in others)
    return {**first, "title": title} if same else {"title": title, "anyOf": [first, *others]}


def _constant(told: Schema) -> list[Any]:
    """Return the one text or number that a property takes, if there is just one."""
    values = [told["const"]] if "const" in told else told.get("enum")
    if not isinstance(values, list) or len(values) != 1:
        return []
    return values if isinstance(values[0], str | int) and not isinstance(values[0], bool) else []
