"""JSON values as people read them: short facts as lines, the rest as JSON, edits as before and after."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.approvals.changes import MISSING, Change
from bot.slack.blocks.rich import paragraph, words
from bot.slack.blocks.text import Block, brief, count, cut, line, spelled_out, units

LINES = 25
"""Facts shown on a card; more are in the modal."""

_KEY = re.compile(r"[^.\[]+")
"""The first key of a change's path."""


@dataclass(frozen=True)
class Piece:
    """Elements of rich text, and whether they show everything there was."""

    elements: list[Block] = field(default_factory=list)
    whole: bool = True


def titles(schema: Mapping[str, Any] | None) -> dict[str, str]:
    """Return what a proposal's schema calls its keys, where it calls them anything."""
    properties = schema.get("properties") if schema else None
    if not isinstance(properties, dict):
        return {}
    called = {key: told.get("title") for key, told in properties.items() if isinstance(told, dict)}
    return {key: title for key, title in called.items() if isinstance(title, str) and title.strip()}


def pretty(value: Any) -> str:
    """Write JSON over several lines; what would be invisible stands as its escape."""
    return spelled_out(json.dumps(value, indent=2, ensure_ascii=False))


def shown(value: Any, limit: int = 300) -> str:
    """Write one value in a line, as a person says it."""
    return cut(line(brief(as_said(value), 2 * limit)) or "(blank)", limit)


def as_said(value: Any) -> str:
    """Say one value in words, all of it."""
    match value:
        case _ if value is MISSING:
            return "(nothing)"
        case None:
            return "(none)"
        case True | False:
            return "yes" if value else "no"
        case "":
            return "(empty)"
        case str():
            return value
        case int() | float():
            return repr(value)
        case list() if value and all(is_scalar(item) for item in value):
            return ", ".join(as_said(item) for item in value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def label(name: str) -> str:
    """Write the name of a value in a line."""
    return cut(line(name[:400]) or "(no name)", 100)


def facts(pairs: Iterable[tuple[str, Any]], limit: int, *, struck: bool = False) -> Piece:
    """Show pairs as lines "**name**: value", at most `LINES` of them and `limit` units."""
    parts: list[Block] = []
    all_pairs = list(pairs)
    whole, left = True, limit
    for n, (name, value) in enumerate(all_pairs):
        text, called = shown(value), label(name)
        left -= units(text) + units(called) + 3
        if n == LINES or left < 0:
            parts.append(words(f"\n… and {count(len(all_pairs) - n, 'more line')}", italic=True))
            whole = False
            break
        whole = whole and called == name and _tells_all(value, text)
        parts += [
            words(("\n" if parts else "") + called, bold=True),
            words(": "),
            words(text, strike=True) if struck else words(text),
        ]
    return Piece([paragraph(*parts)] if parts else [], whole)


def edits(changes: Sequence[Change], limit: int = 1500, called: Mapping[str, str] | None = None) -> Piece:
    """Show each changed field, before and after; `called` as in `proposal`."""
    names = called or {}
    parts: list[Block] = []
    whole, left = True, limit
    for n, change in enumerate(changes):
        name = _called(change.path, names) or "all of it"
        path = label(name)
        before, after = shown(change.before, 200), shown(change.after, 200)
        left -= units(path) + units(before) + units(after) + 6
        if n == LINES or left < 0:
            parts.append(words(f"\n… and {count(len(changes) - n, 'more change')}", italic=True))
            whole = False
            break
        whole = whole and path == name
        whole = whole and _tells_all(change.before, before) and _tells_all(change.after, after)
        parts += [
            words(("\n" if parts else "") + path, bold=True),
            words(": "),
            words(before, strike=True),
            words(" → "),
            words(after),
        ]
    return Piece([paragraph(*parts)] if parts else [], whole)


def _called(path: str, names: Mapping[str, str]) -> str:
    """Put what people call a key in its place, also where only a part of its value changed."""
    key = _KEY.match(path)
    return names.get(key[0], key[0]) + path[key.end() :] if key else path


def _tells_all(value: Any, text: str) -> bool:
    return text == as_said(value)


def is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
