"""A property's JSON Schema made plain: local references followed, parts merged, null set apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.approvals.pointer import pointed

Schema = dict[str, Any]

_STEPS = 5_000
"""Schemas that one proposal may have visited: ends cycles and what grows exponentially by references."""

_DEPTH = 32

_UNKNOWN: Schema = {"readOnly": True}
"""What cannot be understood is shown, and nobody edits it."""


@dataclass(frozen=True)
class Shape:
    """What a property may be, null aside: its alternatives, each with the annotations around them."""

    branches: tuple[Schema, ...]
    nullable: bool
    about: Schema


class Schemas:
    """Reads the schemas of one proposal; what is remote, cyclic or endless reads as unknown."""

    def __init__(self, root: Schema | None) -> None:
        self._root = root or {}
        self._steps = _STEPS

    def proposal(self) -> Schema:
        return self.resolved(self._root)

    def shape(self, schema: Any) -> Shape:
        """Take alternatives apart: `anyOf`, `oneOf`, a list of types, an enum that allows null."""
        about = self.resolved(schema)
        flat = list(self._branches(about, _DEPTH))
        branches = tuple(self._plain(branch) for branch in flat if not _is_null(branch))
        nullable = about.get("nullable") is True or any(
            _is_null(branch) or None in listed(branch.get("enum")) for branch in flat
        )
        return Shape(branches, nullable, about)

    def resolved(self, schema: Any, depth: int = _DEPTH) -> Schema:
        """Follow `$ref` and merge `allOf`; keywords beside them count too."""
        self._steps -= 1
        if schema is True:
            return {}
        if not isinstance(schema, dict) or depth <= 0 or self._steps <= 0:
            return _UNKNOWN
        merged: Schema = {}
        if "$ref" in schema:
            merged = self.resolved(pointed(schema["$ref"], self._root), depth - 1)
        for part in listed(schema.get("allOf")):
            merged = _merged(merged, self.resolved(part, depth - 1))
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        return _merged(merged, beside)

    def _plain(self, branch: Schema) -> Schema:
        """Leave null out of an enum, and follow the items of a list."""
        if None in listed(branch.get("enum")):
            branch = {**branch, "enum": [value for value in branch["enum"] if value is not None]}
        return {**branch, "items": self.resolved(branch["items"])} if "items" in branch else branch

    def _branches(self, schema: Schema, depth: int) -> Iterator[Schema]:
        alternatives = listed(schema.get("anyOf")) or listed(schema.get("oneOf"))
        outer = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        if alternatives and depth > 0:
            for alternative in alternatives:
                told = self.resolved(alternative)
                own = {"title": told["title"]} if "title" in told else {}
                yield from self._branches({**_merged(told, outer), **own}, depth - 1)
        elif isinstance(schema.get("type"), list) and "enum" not in schema:
            yield from ({**outer, "type": one} for one in schema["type"])
        else:
            yield outer


def mapping(value: Any) -> Schema:
    """Return `value` where it is an object, and an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """Return `value` where it is a list, and an empty one otherwise."""
    return value if isinstance(value, list) else []


def _merged(first: Schema, second: Schema) -> Schema:
    """Lay the second over the first; properties and what is required add up."""
    merged = {**first, **second}
    if isinstance(first.get("properties"), dict) and isinstance(second.get("properties"), dict):
        merged["properties"] = {**first["properties"], **second["properties"]}
    if isinstance(first.get("required"), list) and isinstance(second.get("required"), list):
        merged["required"] = [*first["required"], *second["required"]]
    return merged


def _is_null(schema: Schema) -> bool:
    only_null = schema.get("enum") == [None] or ("const" in schema and schema["const"] is None)
    return schema.get("type") == "null" or only_null
