"""Which fields of a state nobody should read in a log: by their names, by their types, or as declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args, get_type_hints, is_typeddict

from pydantic import BaseModel, SecretBytes, SecretStr

MASKED = "•••"

_TELLING = re.compile(
    "password|passwd|passphrase|secret|authorization|apikey|privatekey|accesskey|credential|cookie"
)
_TOKEN = "token"  # noqa: S105  a part of a name; as a number it counts tokens

_NAMES = 1_000  # a state has few, and each in many places


@dataclass(frozen=True, repr=False)
class Hidden:
    """A value that may be compared, and never shown."""

    value: Any

    def __str__(self) -> str:
        return MASKED


@dataclass(frozen=True)
class Secrets:
    """Which names hide what is under them. `declared` are a workflow's own, in any spelling."""

    declared: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Iterable[str], *schemas: Any) -> Secrets:
        """Take the declared names, and those of the fields that `schemas` declare as pydantic's secrets."""
        typed = (name for schema in schemas for name in _secret_fields(schema, set()))
        return cls(frozenset(_spelled(name) for name in (*names, *typed)))

    def with_names(self, names: Iterable[str]) -> Secrets:
        return Secrets(self.declared | {_spelled(name) for name in names})

    def hidden(self, value: Any) -> Any:
        """Return JSON with each secret wrapped in `Hidden`, at any depth; what is empty hides nothing."""
        match value:
            case dict():
                return {
                    key: Hidden(item) if self._hides(key, item) else self.hidden(item)
                    for key, item in value.items()
                }
            case list():
                return [self.hidden(item) for item in value]
            case _:
                return value

    def masked(self, value: Any) -> Any:
        """Return JSON with each secret replaced by what says that it is one."""
        return _shown(self.hidden(value))

    def _hides(self, name: str, value: Any) -> bool:
        if value is None or value in ("", [], {}):
            return False
        spelled = _spelled(name)
        counts = isinstance(value, int | float)
        return spelled in self.declared or _tells(spelled) or (_TOKEN in spelled and not counts)


def _shown(value: Any) -> Any:
    match value:
        case Hidden():
            return MASKED
        case dict():
            return {key: _shown(item) for key, item in value.items()}
        case list():
            return [_shown(item) for item in value]
        case _:
            return value


@lru_cache(_NAMES)
def _tells(spelled: str) -> bool:
    return _TELLING.search(spelled) is not None


@lru_cache(_NAMES)
def _spelled(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _secret_fields(schema: Any, seen: set[Any]) -> Iterator[str]:
    """Yield the names of fields whose type is, or holds, a pydantic secret; types are looked through once."""
    for name, hint in _hints(schema).items():
        inner = list(_types_in(hint))
        if any(isinstance(t, type) and issubclass(t, SecretStr | SecretBytes) for t in inner):
            yield name
        for found in inner:
            if isinstance(found, type) and found not in seen:
                seen.add(found)
                yield from _secret_fields(found, seen)


def _hints(schema: Any) -> Mapping[str, Any]:
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return {name: told.annotation for name, told in schema.model_fields.items()}
    if not is_typeddict(schema):
        return {}
    try:
        return get_type_hints(schema)
    except (NameError, TypeError, AttributeError):  # what it names is not there at run time: nothing to read
        return {}


def _types_in(hint: Any) -> Iterator[Any]:
    yield hint
    for argument in get_args(hint):
        yield from _types_in(argument)
