"""People who may decide and are not in the card's channel: they get it directly."""

from __future__ import annotations

from typing import Any

import structlog
from psycopg_pool import AsyncConnectionPool

from bot.facts.deliveries import direct_cards
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval, Thread
from bot.slack.directory import Directory, Unreachable

log = structlog.get_logger("signoff.slack")

MOST_DIRECT = 20
"""Of a larger crowd nobody gets it directly; the channel's card mentions them."""


class Outsiders:
    """Gives each of them a copy of the card, once; asked again, it finds those who came since."""

    def __init__(self, directory: Directory, pool: AsyncConnectionPool[Any], queue: Queue) -> None:
        self._directory = directory
        self._pool = pool
        self._queue = queue

    async def tell(self, approval: Approval, thread: Thread, channel_id: str) -> None:
        """Never raises for Slack's sake: the card is posted, and the clock comes back to its outsiders."""
        if approval.status != "pending":
            return
        try:
            own = frozenset() if approval.policy.self_approval else thread.own
            people = await self._directory.outside(approval.policy.approvers, channel_id) - own
        except Unreachable as error:
            log.warning("outsiders_unknown", approval_id=approval.approval_id, why=str(error))
            return
        if people and len(people) <= MOST_DIRECT:
            async with self._pool.connection() as conn:
                await direct_cards(conn, self._queue, approval, sorted(people))
