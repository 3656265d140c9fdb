"""Three data sources of a small shop, made without chance where they are missing, and only ever read."""

from __future__ import annotations

import csv
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from workflows.folders import own

VARIABLE = "SIGNOFF_DATA"
"""Names a folder with `sales.db`, `billing.csv` and `support.csv` of one's own, in the same columns."""

REGIONS = ("north", "south", "east", "west")
FIRST, LAST = date(2025, 1, 1), date(2028, 12, 31)
"""What the sample covers; questions look no further than the day on which they are asked."""

_NAMES = (
    *("Adler", "Baltic", "Cedar", "Delta", "Ember", "Fjord"),
    *("Gamma", "Harbor", "Iris", "Juno", "Krone", "Lumen"),
)


@dataclass(frozen=True)
class Order:
    """One order of the sample; the invoice and the tickets follow from it."""

    number: int
    customer: str
    region: str
    day: date
    cents: int


def folder() -> Path:
    """Return the folder of the three sources, with what is missing of the sample made."""
    found = Path(chosen).expanduser() if (chosen := os.environ.get(VARIABLE)) else own("data")
    for name, make in (
        ("sales.db", _make_sales),
        ("billing.csv", _make_billing),
        ("support.csv", _make_support),
    ):
        if not (found / name).exists():
            # Made beside it and moved: nobody reads half a source, and two makers make the same.
            draft = found / f".{name}.{uuid4().hex}"
            make(draft)
            draft.replace(found / name)
    return found


def select(path: Path, query: str, values: dict[str, str]) -> list[tuple[int | str, ...]]:
    """Run a query of the catalog on a SQLite file that is opened for reading alone."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        connection.execute("pragma query_only = on")
        return connection.execute(query, values).fetchall()


def rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file by its heads."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _orders() -> Iterator[Order]:
    """Yield two or three orders a week, by arithmetic alone."""
    day, number = FIRST, 0
    while day <= LAST:
        number += 1
        pick = (number * 7) % (len(_NAMES) * 2)
        name = f"{_NAMES[pick % len(_NAMES)]} {'GmbH' if pick < len(_NAMES) else 'Ltd'}"
        cents = 20_000 + (number * 7919) % 180_000
        yield Order(number, name, REGIONS[pick % len(REGIONS)], day, cents)
        day += timedelta(days=2 + number % 2)


def _make_sales(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "create table orders (number integer primary key, customer text not null, region text not null, "
            "ordered_on text not null, cents integer not null)"
        )
        values = [(one.number, one.customer, one.region, one.day.isoformat(), one.cents) for one in _orders()]
        connection.executemany("insert into orders values (?, ?, ?, ?, ?)", values)


def _make_billing(path: Path) -> None:
    """Invoice each order three days later; it is paid after three to seven weeks, one in nine never."""
    lines = [
        {
            "invoice": f"R{one.number:05}",
            "customer": one.customer,
            "region": one.region,
            "issued_on": (one.day + timedelta(days=3)).isoformat(),
            "paid_on": ""
            if one.number % 9 == 0
            else (one.day + timedelta(days=21 + one.number % 28)).isoformat(),
            "amount": f"{one.cents / 100:.2f}",
        }
        for one in _orders()
    ]
    _write(path, lines)


def _make_support(path: Path) -> None:
    """Let every third order bring a ticket ten days later; one in seven of them stays open."""
    lines = [
        {
            "ticket": f"T{one.number:05}",
            "customer": one.customer,
            "region": one.region,
            "opened_on": (one.day + timedelta(days=10)).isoformat(),
            "closed_on": ""
            if one.number % 7 == 0
            else (one.day + timedelta(days=12 + one.number % 20)).isoformat(),
        }
        for one in _orders()
        if one.number % 3 == 0
    ]
    _write(path, lines)


def _write(path: Path, lines: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
