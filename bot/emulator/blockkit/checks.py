"""Small checks of JSON values, combined into the shapes that Block Kit wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing Slack would refuse, and where; prints as Slack's `response_metadata.messages` do."""

    message: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.message} [json-pointer:{self.pointer}]"


Check = Callable[[Any, str, list[Problem]], None]
"""Looks at a value found at a JSON pointer and adds what is wrong with it."""


def units(text: str) -> int:
    """Length in UTF-16 units: what Slack counts is not documented, and this is the larger of the two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def string(most: int | None = None, least: int = 0) -> Check:
    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, str):
            found.append(Problem("must provide a string", at))
        elif units(value) < least:
            found.append(Problem(f"must be more than {least - 1} characters", at))
        elif most is not None and units(value) > most:
            found.append(Problem(f"must be less than {most + 1} characters", at))

    return check


def matching(pattern: Callable[[str], object], what: str) -> Check:
    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, str) or not pattern(value):
            found.append(Problem(f"must be {what}", at))

    return check


def boolean(value: Any, at: str, found: list[Problem]) -> None:
    if not isinstance(value, bool):
        found.append(Problem("must provide a boolean", at))


def anything(value: Any, at: str, found: list[Problem]) -> None:
    """Takes every value."""


def integer(low: int, high: int) -> Check:
    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            found.append(Problem("must provide an integer", at))
        elif not low <= value <= high:
            found.append(Problem(f"must be between {low} and {high}", at))

    return check


def one_of(*allowed: object) -> Check:
    def check(value: Any, at: str, found: list[Problem]) -> None:
        if value not in allowed:
            found.append(Problem(f"must be one of: {', '.join(map(str, allowed))}", at))

    return check


def array(item: Check, most: int | None = None, least: int = 1) -> Check:
    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, list):
            found.append(Problem("must provide an array", at))
            return
        if len(value) < least:
            found.append(Problem(f"no fewer than {least} items allowed", at))
        if most is not None and len(value) > most:
            found.append(Problem(f"no more than {most} items allowed", at))
        for index, member in enumerate(value):
            item(member, f"{at}/{index}", found)

    return check


def record(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *rules: Check
) -> Check:
    """An object with these keys and no others; `rules` look at it whole, once its parts are right."""
    checks = {**required, **(optional or {})}

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, dict):
            found.append(Problem("must provide an object", at))
            return
        before = len(found)
        for key in required:
            if key not in value:
                found.append(Problem(f"missing required field: {key}", at))  # noqa: PERF401 - rarely any
        for key, member in value.items():
            if known := checks.get(key):
                known(member, f"{at}/{key}", found)
            else:
                found.append(Problem(f"invalid additional property: {key}", at))
        if len(found) == before:
            for rule in rules:
                rule(value, at, found)

    return check


def typed(table: Mapping[str, Check], what: str = "type") -> Check:
    """An object whose `type` says which of these it is."""

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, dict):
            found.append(Problem("must provide an object", at))
            return
        kind = value.get("type")
        known = table.get(kind) if isinstance(kind, str) else None
        if known is None:
            found.append(Problem(f"unsupported {what}: {kind}", f"{at}/type"))
        else:
            known(value, at, found)

    return check


def any_of(*keys: str) -> Check:
    """A rule: at least one of these keys has something in it."""

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not any(value.get(key) for key in keys):
            found.append(Problem(f"must define {' or '.join(keys)}", at))

    return check


def exactly_one(*keys: str) -> Check:
    """A rule: one of these keys and no other of them."""

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if sum(key in value for key in keys) != 1:
            found.append(Problem(f"must define exactly one of {', '.join(keys)}", at))

    return check
