"""Which of a property's alternatives is an object, or a list of objects, that a form can open."""

from __future__ import annotations

from dataclasses import dataclass
from sys import maxsize
from typing import Any

from bot.slack.form.kind import NOTHING
from bot.slack.form.schema import Schema, Schemas, Shape, mapping


@dataclass(frozen=True)
class Items:
    """What a list may hold and how many; `addable` where it is plain what a new one would be."""

    items: Shape
    least: int
    most: int
    addable: bool


def object_of(schemas: Schemas, shape: Shape, now: Any) -> Schema | None:
    """Return the object schema that the value belongs to; None where there is none, or it is not plain which.

    Of several, such as a discriminated union's, it is the one whose constants the value has. Without a value
    it must be the only alternative.
    """
    if not _open(shape) or not (now is NOTHING or isinstance(now, dict)):
        return None
    fitting = [branch for branch in shape.branches if _is_object(branch, now)]
    if now is NOTHING:
        return fitting[0] if len(fitting) == len(shape.branches) == 1 else None
    if len(fitting) > 1:
        fitting = [branch for branch in fitting if _has_constants(schemas, branch, now)]
    return fitting[0] if len(fitting) == 1 else None


def items_of(schemas: Schemas, shape: Shape, now: Any) -> Items | None:
    """Return what a list of objects holds; None for any other, and where one of the objects is not plain."""
    if not _open(shape) or not (now is NOTHING or isinstance(now, list)):
        return None
    lists = [branch for branch in shape.branches if branch.get("type", "array" if now else "") == "array"]
    if len(lists) != 1 or "prefixItems" in lists[0] or (now is NOTHING and len(shape.branches) > 1):
        return None
    items = schemas.shape(lists[0].get("items", {}))
    held = [] if now is NOTHING else now
    addable = bool(lists[0].get("items")) and object_of(schemas, items, NOTHING) is not None
    if not (held or addable) or any(object_of(schemas, items, one) is None for one in held[:_LOOKED_AT]):
        return None
    if not all(isinstance(one, dict) for one in held):
        return None
    return Items(items, _bound(lists[0], "minItems", 0), _bound(lists[0], "maxItems", maxsize), addable)


_LOOKED_AT = 50


def _open(shape: Shape) -> bool:
    return shape.about.get("readOnly") is not True and "const" not in shape.about


def _is_object(branch: Schema, now: Any) -> bool:
    if "enum" in branch or "const" in branch or branch.get("readOnly") is True:
        return False
    told = branch.get("type", "object" if "properties" in branch or isinstance(now, dict) else "")
    return bool(told == "object")


def _has_constants(schemas: Schemas, branch: Schema, now: dict[str, Any]) -> bool:
    """Tell whether the value has what the alternative fixes; one that fixes nothing fits none."""
    fixed = {
        key: [told["const"]] if "const" in told else told["enum"]
        for key, told in ((k, schemas.resolved(v)) for k, v in mapping(branch.get("properties")).items())
        if "const" in told or (isinstance(told.get("enum"), list) and len(told["enum"]) == 1)
    }
    return bool(fixed) and all(now.get(key, NOTHING) in values for key, values in fixed.items())


def _bound(branch: Schema, keyword: str, otherwise: int) -> int:
    bound = branch.get(keyword)
    return bound if isinstance(bound, int) and not isinstance(bound, bool) and bound >= 0 else otherwise
