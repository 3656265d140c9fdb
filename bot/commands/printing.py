"""How commands print: tables for people, JSON for scripts, and never a control character of a stranger's."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands.told import one_line

_UNBOUND = 400
"""Columns where the output is no terminal: what a script reads is not to be folded."""

_UNUSUAL = re.compile(r"[^ -~\n]")


def say(text: str = "") -> None:
    """Print one line or several, as they are."""
    typer.echo(text)


def say_json(value: object, *, indent: int | None = 2) -> None:
    """Print JSON that people can read as well; what could move a cursor is an escape in it."""
    text = json.dumps(value, default=_plain, ensure_ascii=False, indent=indent)
    typer.echo(_UNUSUAL.sub(lambda found: _escaped(found[0]), text))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; cells are made one line each."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*(Text(shown(cell)) for cell in row))
    width = None if sys.stdout.isatty() else _UNBOUND
    Console(width=width, highlight=False).print(made)


def shown(value: object) -> str:
    """Return a value for a table or a line: times to the second in UTC, nothing as a dash."""
    match value:
        case None | "":
            return "-"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case dict() | list():
            return one_line(json.dumps(value, default=_plain, ensure_ascii=False))
        case _:
            return one_line(str(value))


def lines(text: str) -> Iterable[str]:
    """Return the lines of a text of several, each without control characters."""
    return ("".join(char if char.isprintable() else " " for char in line) for line in text.splitlines())


def _escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
