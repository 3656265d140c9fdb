"""A model, or a dataclass, as JSON that it reads back, with the JSON Schema of just that."""

from __future__ import annotations

import re
from dataclasses import dataclass, is_dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, Literal

from pydantic import BaseModel, PydanticInvalidForJsonSchema, PydanticUserError, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DecimalSchema


@dataclass(frozen=True)
class Modelled:
    """How the values of one type are written: under which names, and what schema tells of them."""

    adapter: TypeAdapter[Any]
    by_alias: bool

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema; raises `PydanticInvalidForJsonSchema` where there is none of a field's type."""
        return self.adapter.json_schema(by_alias=self.by_alias, schema_generator=_Told)

    def plain(self, value: Any) -> Any:
        """Return it as JSON; computed fields stay out: they would not follow an edit, nor be read back."""
        return self.adapter.dump_python(value, mode="json", by_alias=self.by_alias, round_trip=True)


def modelled(value: Any) -> Modelled | None:
    """Say how a value is written that is a model, or a dataclass whose fields pydantic knows."""
    kind: type = type(value)
    if isinstance(value, BaseModel):
        return _of(kind)
    if isinstance(value, type) or not is_dataclass(value):
        return None
    try:
        return _of(kind)
    except PydanticUserError:  # its fields are of types that have no JSON
        return None


def schema_of(kind: type) -> dict[str, Any]:
    """Return the JSON Schema of a model, or of another type that pydantic knows."""
    return _of(kind).schema


class _Told(GenerateJsonSchema):
    """Says `paysTo` as "Pays To", where pydantic makes "Paysto" of it, and how many places a decimal has.

    Pydantic says that in a pattern at most, and not in every version.
    """

    def decimal_schema(self, schema: DecimalSchema) -> JsonSchemaValue:
        places = schema.get("decimal_places")
        if places is not None and "multiple_of" not in schema:
            schema = {**schema, "multiple_of": Decimal(1).scaleb(-places)}
        return super().decimal_schema(schema)

    def get_title_from_name(self, name: str) -> str:
        return super().get_title_from_name(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name))


@lru_cache(maxsize=256)  # a schema takes milliseconds to make, and each run of a node that asks needs it
def _of(kind: type) -> Modelled:
    """Use aliases where the type reads what it writes under them, else the names of its fields."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        by_alias = _keys(adapter, "validation") <= _keys(adapter, "serialization")
    except PydanticInvalidForJsonSchema:  # the author has to give one
        by_alias = False
    return Modelled(adapter, by_alias)


def _keys(adapter: TypeAdapter[Any], mode: Literal["validation", "serialization"]) -> set[tuple[str, str]]:
    """Return each key with the type that it is of."""
    schema = adapter.json_schema(mode=mode)
    types = {"": schema, **schema.get("$defs", {})}
    return {(name, key) for name, told in types.items() for key in told.get("properties", ())}
