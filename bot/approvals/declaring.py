"""Whether what an author declares is of the kind that it must be: Python itself takes anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

Is = Callable[[Any], bool]


def misdeclared(declared: Mapping[str, Any], kinds: Mapping[str, tuple[Is, str]]) -> Iterator[str]:
    """Yield a line for each argument that is not of its kind; `kinds` are a test, and what to give."""
    for name, (fits, wanted) in kinds.items():
        value = declared[name]
        if not fits(value):
            kind = value.__name__ if isinstance(value, type) else repr(value)[:80]
            yield f"{name} is {kind}; give {wanted}."


def is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def are_names(value: Any) -> bool:
    """Whether it is several names; a single text would be taken for its letters."""
    return isinstance(value, Collection) and not isinstance(value, str) and all(map(_is_text, value))


def maybe(fits: Is) -> Is:
    return lambda value: value is None or fits(value)


def one_of(*types: type) -> Is:
    return lambda value: isinstance(value, types)


def by(key: Is, item: Is) -> Is:
    return lambda value: isinstance(value, Mapping) and all(key(k) and item(v) for k, v in value.items())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
