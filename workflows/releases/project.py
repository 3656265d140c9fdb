"""A small project to release: a package with tests, migrations and a licence, and one whose tests fail."""

from __future__ import annotations

from pathlib import Path

_PYPROJECT = """[project]
name = "shop"
dependencies = []
"""

_ORDERS = '''"""Orders, and what they cost."""

from __future__ import annotations

import sqlite3


def total(prices: list[int], percent_off: int = 0) -> int:
    """Return what an order costs, in cents, rounded in the customer's favour."""
    return sum(prices) * (100 - percent_off) // 100


def place(database: sqlite3.Connection, customer: str, prices: list[int]) -> int:
    """Keep an order, and return its number."""
    placed = database.execute("insert into orders (customer, cents) values (?, ?)", (customer, total(prices)))
    return placed.lastrowid or 0
'''

_PACKAGE = '''"""A shop."""

from __future__ import annotations

import sqlite3

from shop.orders import place, total


def selfcheck(database: sqlite3.Connection) -> None:
    """Raise where the shop does not work on this database; leave nothing behind."""
    assert total([1000, 250], 10) == 1125
    place(database, "selfcheck", [100])
    database.rollback()
'''

_TESTS = """from __future__ import annotations

import unittest

from shop.orders import total


class Total(unittest.TestCase):
    def test_nothing_costs_nothing(self) -> None:
        self.assertEqual(0, total([]))

    def test_a_discount_is_rounded_in_the_customers_favour(self) -> None:
        self.assertEqual(89, total([99], 10))
"""

_FILES = {
    "pyproject.toml": _PYPROJECT,
    "LICENSE": "You may use this shop for anything.\n",
    "shop/__init__.py": _PACKAGE,
    "shop/orders.py": _ORDERS,
    "tests/test_orders.py": _TESTS,
    "migrations/001_orders.sql": (
        "create table orders (number integer primary key, customer text not null, cents integer not null);\n"
    ),
    "migrations/002_orders_by_customer.sql": "create index orders_by_customer on orders (customer);\n",
}

PROJECTS: dict[str, dict[str, str]] = {
    "shop": _FILES,
    "shop-broken": _FILES | {"shop/orders.py": _ORDERS.replace("// 100", "/ 100")},
}


def write(name: str, folder: Path) -> None:
    """Write the files of a sample project where they are missing."""
    for path, text in PROJECTS[name].items():
        file = folder / path
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
