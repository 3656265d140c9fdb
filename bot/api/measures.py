"""`/metrics`: what this process has counted, and how things stand in the database now."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from bot import metrics
from bot.house import House
from bot.postgres.away import DatabaseAway

log = structlog.get_logger("signoff.api")


class Measures:
    def __init__(self, house: House) -> None:
        self._house = house

    async def metrics(self, _: Request) -> Response:
        """Answer in Prometheus' text format; `signoff_database_up` is 0 where the rest of the gauges lack."""
        text = generate_latest(_counted()) + generate_latest(_registry(Gauges(await self._standing())))
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _standing(self) -> Mapping[str, Any] | None:
        try:
            async with self._house.listening.connection() as conn:
                found = await conn.execute(_AS_IT_STANDS)
                row: Mapping[str, Any] | None = await found.fetchone()
        except DatabaseAway as error:
            log.warning("database_away", path="/metrics", why=str(error))
            return None
        return row


class Gauges:
    """The gauges of one scrape."""

    def __init__(self, row: Mapping[str, Any] | None) -> None:
        self._row = row

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "signoff_database_up", "Whether the database answered this scrape.", self._row is not None
        )
        if self._row is None:
            return
        for name, help_text in GAUGES.items():
            if self._row[name] is not None:
                yield _gauge(f"signoff_{name}", help_text, self._row[name])
        yield _labelled(
            "signoff_threads",
            "Threads that are open, and those that ended badly and are in no digest yet.",
            "status",
            self._row["threads"] or {},
        )
        yield _labelled(
            "signoff_queued_jobs", "Jobs that no worker has started.", "queue", self._row["jobs"] or {}
        )


GAUGES = {
    "approvals_pending": "Approvals that wait for an answer.",
    "approvals_overdue": "Pending approvals past their deadline.",
    "oldest_pending_seconds": "Age of the oldest pending approval.",
    "messages_behind": "Slack messages that do not yet show what they should.",
    "messages_failed": "Slack messages given up and in no digest yet.",
    "threads_behind": "Threads that have not caught up with what was recorded.",
    "slack_reachable": "Whether Slack has answered a clock lately.",
    "clock_silent_seconds": "Since the clock last had an answer from Slack; absent while Slack is away.",
}


def _counted() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return metrics.REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def _registry(gauges: Gauges) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(gauges)
    return registry


def _gauge(name: str, help_text: str, value: Any) -> Metric:
    return GaugeMetricFamily(name, help_text, value=float(value))


def _labelled(name: str, help_text: str, label: str, values: Mapping[str, Any]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


# Each count is served by an index of what is open: an installation's past costs a scrape nothing.
_AS_IT_STANDS = """
select (select count(*) from approvals where status = 'pending') as approvals_pending,
       (select count(*) from approvals where status = 'pending' and due_at <= signoff_now())
           as approvals_overdue,
       (select extract(epoch from signoff_now() - min(created_at)) from approvals where status = 'pending')
           as oldest_pending_seconds,
       (select count(*) from messages where wanted > drawn and error is null) as messages_behind,
       (select count(*) from messages where error is not null and digested_in is null) as messages_failed,
       (select count(*) from threads where wanted > reached) as threads_behind,
       (select jsonb_object_agg(status, count) from (
            select status, count(*) from threads where status in ('running', 'waiting') group by status
            union all
            select status, count(*) from threads
            where status in ('failed', 'orphaned') and digested_in is null group by status
        ) as counted) as threads,
       (select jsonb_object_agg(queue_name, count) from (
            select queue_name, count(*) from procrastinate_jobs where status = 'todo' group by queue_name
        ) as counted) as jobs,
       w.ok_since is not null as slack_reachable,
       case when w.ok_since is not null
            then extract(epoch from signoff_now() - w.checked_at) end as clock_silent_seconds
from slack_workspace w
"""
