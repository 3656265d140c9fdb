"""People who may decide and are not in the card's channel: they get it directly."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from psycopg_pool import AsyncConnectionPool

from bot.approvals.policy import Policy
from bot.facts import audience as facts
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval, Thread
from bot.slack.blocks.text import count
from bot.slack.workspace.directory import Audience, Directory, Unreachable

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
        policy = approval.policy
        own: frozenset[str] = frozenset() if policy.self_approval else thread.own
        try:
            audience = await self._audience(policy, own, channel_id)
        except Unreachable as error:
            log.warning("outsiders_unknown", approval_id=approval.approval_id, why=str(error))
            return
        people, problem = audience.outside - own - audience.barred, _problem(audience, own, policy)
        people = people if len(people) <= MOST_DIRECT else frozenset()
        if not people and problem is None:
            return
        async with self._pool.connection() as conn:
            await facts.tell(conn, self._queue, approval, sorted(people), problem)

    async def _audience(self, policy: Policy, own: frozenset[str], channel_id: str) -> Audience:
        """Return whom the approvers come to; who would get a copy is looked up before their first one."""
        audience = await self._directory.audience(policy.approvers, channel_id)
        unseen = (audience.outside - own) & audience.unseen
        if not unseen or len(audience.outside - own) > MOST_DIRECT:
            return audience
        # Of whom Slack says nothing, nothing speaks against a copy: a click is judged again.
        await asyncio.gather(*map(self._directory.look_up_person, sorted(unseen)), return_exceptions=True)
        return await self._directory.audience(policy.approvers, channel_id)


def _problem(audience: Audience, own: frozenset[str], policy: Policy) -> str | None:
    """Say why the approvers cannot come to a decision; None where they can."""
    able = len(audience.people - own - audience.barred)
    if able < policy.approvals:
        those = f"only {able}" if able else "nobody"
        short = f"It needs {count(policy.approvals, 'approval')}, and {those} may give one"
    else:
        short = ""
    groups = ", ".join(audience.unknown)
    unknown = f"There is no user group {groups}" if groups else ""
    return ". ".join(filter(None, (short, unknown))) or None
