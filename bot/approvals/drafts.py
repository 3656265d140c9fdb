"""A JSON Schema of an older draft in the words of 2020-12."""

from __future__ import annotations

import re
from typing import Any

_BY_NAME = ("properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions")
_DATA = ("const", "enum", "default", "examples", "dependentRequired")
_ALONE = {"$ref", "allOf", "anyOf", "oneOf", "enum"}
"""What says by itself, without a `type`, which values there are; `nullable` beside it means one more."""

_IN_TUPLE = re.compile(r"/items/(?=\d+(/|$))")


def modern(schema: Any) -> Any:
    """Rewrite what drafts before 2020-12 say otherwise; the rest means the same, or is left as it is.

    Zod and pydantic 1 write a tuple as a list of `items`; OpenAPI 3.0 has `nullable`, and bounds that are
    `exclusive…: true`.
    """
    match schema:
        case dict():
            return _renamed({key: _inside(key, told) for key, told in schema.items()})
        case list():
            return [modern(one) for one in schema]
        case _:
            return schema


def _inside(keyword: str, told: Any) -> Any:
    if keyword in _DATA:
        return told
    if keyword == "$ref" and isinstance(told, str):
        return _IN_TUPLE.sub("/prefixItems/", told)
    if keyword in _BY_NAME and isinstance(told, dict):
        return {name: modern(one) for name, one in told.items()}
    return modern(told)


def _renamed(told: dict[str, Any]) -> dict[str, Any]:
    if isinstance(told.get("items"), list):
        beyond = told.pop("additionalItems", True)
        told = {**told, "prefixItems": told["items"], "items": beyond}
        if not told["prefixItems"]:
            del told["prefixItems"]
    if told.get("nullable") is True and isinstance(told.get("type"), str) and told["type"] != "null":
        told["type"] = [told["type"], "null"]
        if isinstance(told.get("enum"), list):
            told["enum"] = [*told["enum"], None]
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(out := told.get(strict), bool):
            del told[strict]
            if out and bound in told:
                told[strict] = told.pop(bound)
    if told.get("nullable") is True and "type" not in told and told.keys() & _ALONE:
        kept: dict[str, Any] = {key: told.pop(key) for key in ("$defs", "definitions") if key in told}
        told = {"anyOf": [told, {"type": "null"}], **kept}
    return told
