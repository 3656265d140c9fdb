"""What can be asked of the data: each figure with its sources, and how it is worked out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from workflows.datasource_questions.data import rows, select

_SALES = """
select coalesce(sum(cents), 0), count(*), count(distinct customer) from orders
where ordered_on between :first and :last and (:region = '' or region = :region)
"""


@dataclass(frozen=True)
class Scope:
    """Which part of the data counts: both days included; no region is all."""

    first: date
    last: date
    region: str | None = None

    def holds(self, row: dict[str, str], day: str) -> bool:
        """Tell whether a line of a CSV file counts by the day in its column `day`; ISO dates sort as text."""
        inside = self.first.isoformat() <= row[day] <= self.last.isoformat()
        return inside and self.region in (None, row["region"])


@dataclass(frozen=True)
class Figure:
    """An answer: `text` with its unit, from so many `lines` of data."""

    text: str
    lines: int


@dataclass(frozen=True)
class Metric:
    """One way to read a question. `words` tell it apart from the others of its topic, as a pattern."""

    id: str
    topic: str
    label: str
    description: str
    words: str
    figure: Callable[[Path, Scope], Figure]


def _booked(folder: Path, scope: Scope) -> Figure:
    cents, count, _ = _sales(folder, scope)
    return Figure(_money(Decimal(cents) / 100), count)


def _orders(folder: Path, scope: Scope) -> Figure:
    _, count, _ = _sales(folder, scope)
    return Figure(f"{count:,} orders", count)


def _buyers(folder: Path, scope: Scope) -> Figure:
    _, count, customers = _sales(folder, scope)
    return Figure(f"{customers:,} customers", count)


def _sales(folder: Path, scope: Scope) -> tuple[int, int, int]:
    values = {"first": scope.first.isoformat(), "last": scope.last.isoformat(), "region": scope.region or ""}
    ((cents, count, customers),) = select(folder / "sales.db", _SALES, values)
    return int(cents), int(count), int(customers)


def _billed(day: str) -> Callable[[Path, Scope], Figure]:
    def figure(folder: Path, scope: Scope) -> Figure:
        found = [row for row in rows(folder / "billing.csv") if scope.holds(row, day)]
        return Figure(_money(sum((Decimal(row["amount"]) for row in found), Decimal(0))), len(found))

    return figure


def _tickets(day: str) -> Callable[[Path, Scope], Figure]:
    def figure(folder: Path, scope: Scope) -> Figure:
        count = sum(scope.holds(row, day) for row in rows(folder / "support.csv"))
        return Figure(f"{count:,} tickets", count)

    return figure


def _customers(name: str, day: str) -> Callable[[Path, Scope], Figure]:
    def figure(folder: Path, scope: Scope) -> Figure:
        found = [row["customer"] for row in rows(folder / name) if scope.holds(row, day)]
        return Figure(f"{len(set(found)):,} customers", len(found))

    return figure


def _tickets_per_order(folder: Path, scope: Scope) -> Figure:
    tickets, orders = _tickets("opened_on")(folder, scope).lines, _orders(folder, scope).lines
    text = f"{Decimal(100 * tickets) / orders:.1f} tickets per 100 orders" if orders else "no orders"
    return Figure(text, tickets + orders)


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f} EUR"


METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        Metric(
            "booked",
            "revenue",
            "Revenue by orders booked",
            "Sales database: what was ordered, by the day of the order",
            r"book\w*|order\w*",
            _booked,
        ),
        Metric(
            "invoiced",
            "revenue",
            "Revenue by invoices issued",
            "Billing file: what was invoiced, by the day of the invoice",
            r"invoice\w*|bill\w*",
            _billed("issued_on"),
        ),
        Metric(
            "received",
            "revenue",
            "Revenue by money received",
            "Billing file: what was paid, by the day it came in",
            r"receive\w*|paid|cash|collected|came in|money",
            _billed("paid_on"),
        ),
        Metric(
            "buyers",
            "customers",
            "Customers who ordered",
            "Sales database: each once, however often they ordered",
            r"order\w*|bought|buy\w*",
            _buyers,
        ),
        Metric(
            "billed",
            "customers",
            "Customers who were invoiced",
            "Billing file: each once, however many invoices",
            r"invoice\w*|bill\w*",
            _customers("billing.csv", "issued_on"),
        ),
        Metric(
            "writers",
            "customers",
            "Customers who wrote to support",
            "Support file: each once, however many tickets",
            r"wrote|write|support|tickets?|complain\w*",
            _customers("support.csv", "opened_on"),
        ),
        Metric(
            "opened",
            "tickets",
            "Tickets opened",
            "Support file: by the day they came in",
            r"open\w*|new|came in",
            _tickets("opened_on"),
        ),
        Metric(
            "closed",
            "tickets",
            "Tickets closed",
            "Support file: by the day they were closed",
            r"close\w*|solve\w*|resolve\w*|finish\w*",
            _tickets("closed_on"),
        ),
        Metric("orders", "orders", "Orders", "Sales database: how many", r"orders?", _orders),
        Metric(
            "tickets_per_order",
            "tickets per order",
            "Tickets per 100 orders",
            "Support file and sales database together",
            r"per",
            _tickets_per_order,
        ),
    )
}
