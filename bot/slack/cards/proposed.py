"""A proposal as people read it: a line for each fact, also of objects and lists, and JSON for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.slack.blocks.rich import paragraph, preformatted, quote, words
from bot.slack.blocks.text import Block, brief, count, is_told, units
from bot.slack.blocks.values import Piece, as_said, facts, is_scalar, label, pretty
from bot.slack.form import BETWEEN

_MOST_ROWS = 20
"""Objects of a list that get a line each."""

_FACT = 150
"""Units of a text that is still told in a line."""

_LEAST = 60
"""Units below which nothing of a value would be told."""


def proposal(
    value: Any, limit: int, *, struck: bool = False, called: Mapping[str, str] | None = None
) -> Piece:
    """Show what is proposed, cut to `limit` units; `struck` through where it will not happen.

    `called` has the names that people know its keys by.
    """
    names = called or {}
    match value:
        case None:
            return Piece()
        case dict():
            return _object([(names.get(key, key), item) for key, item in value.items()], limit, struck=struck)
        case str():
            return Piece([paragraph(words(brief(value, limit), strike=struck))], is_told(value, limit))
        case _:
            return _whole(value, limit)


def _object(parts: list[tuple[str, Any]], limit: int, *, struck: bool) -> Piece:
    """Show its facts first, and then what is larger, each under its name."""
    lines: list[tuple[str, Any]] = []
    larger: list[tuple[str, Any]] = []
    for name, item in parts:
        told = list(_lines(name, item))
        lines += told
        larger += [] if told else [(name, item)]
    said = facts(lines, limit, struck=struck)
    elements, whole = list(said.elements), said.whole
    for n, (name, item) in enumerate(larger):
        left = limit - _size(elements)
        if left < _LEAST and elements:
            more = words(f"… and {count(len(larger) - n, 'more value')}", italic=True)
            return Piece([*elements, paragraph(more)], whole=False)
        called = label(name)
        elements.append(paragraph(words(called, bold=True)))
        whole = whole and called == name
        if isinstance(item, str):
            elements.append(quote(item, left, struck=struck))
            whole = whole and is_told(item, left)
        else:
            piece = _whole(item, left)
            elements += piece.elements
            whole = whole and piece.whole
    return Piece(elements, whole)


def _lines(name: str, item: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is told in lines, each with its name: a fact, an object's facts, or the rows of a list."""
    if item == {} or (_is_short(item) and not _is_prose(item)):
        yield name, item
    elif _is_flat(item):
        yield from ((f"{name}{BETWEEN}{key}", inner) for key, inner in item.items())
    elif isinstance(item, list) and 0 < len(item) <= _MOST_ROWS and all(_is_flat(row) for row in item):
        for n, row in enumerate(item, 1):
            yield f"{name} {n}", " · ".join(f"{key}: {as_said(inner)}" for key, inner in row.items())


def _whole(value: Any, limit: int) -> Piece:
    text = pretty(value)
    return Piece([preformatted(text, limit)], units(text) <= limit)


def _size(elements: list[Block]) -> int:
    return sum(units(run["text"]) for element in elements for run in element["elements"])


def _is_flat(value: Any) -> bool:
    """Whether it is an object of facts alone, whose names say what they are."""
    if not isinstance(value, dict) or not value:
        return False
    return all(0 < len(key) <= 60 and _is_short(item) and not _is_prose(item) for key, item in value.items())


def _is_prose(value: Any) -> bool:
    """Whether it is a text of several lines, or of one that is no mere fact."""
    return isinstance(value, str) and ("\n" in value.strip() or units(value) > _FACT)


def _is_short(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 20 and all(is_scalar(item) and units(str(item)) <= 100 for item in value)
    return is_scalar(value) and units(str(value)) <= _FACT
