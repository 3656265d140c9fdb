"""What every listener works with: the facts it records, within its deadline, and what it says of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any, TypeVar

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from bot import metrics
from bot.approvals.standing import STALE_AFTER
from bot.facts import homes
from bot.facts.correcting import correct
from bot.facts.votes import (
    Case,
    Click,
    NotRecorded,
    Recorded,
    Unchecked,
    cast,
    may_begin,
    read_case,
    unread,
)
from bot.patience import Patience
from bot.postgres.away import DatabaseAway
from bot.postgres.errands import Errands
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval
from bot.slack.cards.asking import lapsed, progress
from bot.slack.cards.refusals import refusal
from bot.slack.delivery.showing import Showing
from bot.slack.listeners.deadline import within
from bot.slack.listeners.window import Person, Window, unraised
from bot.slack.messages.render import permalink
from bot.slack.workspace.directory import Directory, handles

log = structlog.get_logger("signoff.slack")

NOT_SHOWN = "The database did not answer in time, so I could not show that. Please try again in a moment."
"""What is true of a click that only shows something."""

UNSURE = (
    "The database did not answer in time, so I cannot say that this was recorded. "
    "Please try again in a moment: nothing counts twice, and I will say so if it is settled."
)
"""What is true of a commit that was never confirmed, and of a connection that was never got."""

REPEATED = "You have already said so, and it counts once."

Result = TypeVar("Result")
Work = Callable[[AsyncConnection[Any]], Awaitable[Result]]


class NotDone(Exception):
    """The database did not answer in time: nothing is known to be recorded, so nothing is acknowledged."""


@dataclass(frozen=True)
class Desk:
    """The listeners' pool and queue, where they answer, what shows their facts, the grace after an outage.

    All that a click waits for is within its `patience`.

    What reads or writes the database raises one of `DatabaseAway` when its time is up.
    """

    window: Window
    pool: AsyncConnectionPool[Any]
    queue: Queue
    directory: Directory
    showing: Showing
    grace: timedelta
    patience: Patience

    @metrics.clicked
    async def cast(self, click: Click) -> Recorded | NotRecorded:
        """Record a verdict; when time is up it is not recorded, or nobody knows."""
        errands = Errands(self.queue)

        async def record(conn: AsyncConnection[Any], *, looked_up: bool) -> Recorded | NotRecorded:
            return await cast(conn, errands, click, self.grace, looked_up=looked_up)

        outcome = await self._looking_up(click, record)
        self.showing.soon(errands.drawings)
        return outcome

    @metrics.clicked
    async def correct(self, click: Click, values: dict[str, Any]) -> Approval | NotRecorded:
        """Record a correction of the thread's state; as for `cast`."""

        async def record(conn: AsyncConnection[Any], *, looked_up: bool) -> Approval | NotRecorded:
            return await correct(conn, self.queue, click, values, self.grace, looked_up=looked_up)

        return await self._looking_up(click, record)

    @metrics.clicked
    async def may_begin(self, click: Click) -> Case | NotRecorded:
        """Say whether a modal may be opened for this verdict."""

        async def begin(conn: AsyncConnection[Any], *, looked_up: bool) -> Case | NotRecorded:
            return await may_begin(conn, self.queue, click, self.grace, looked_up=looked_up)

        return await self._looking_up(click, begin)

    async def case(self, approval_id: str, user: str) -> Case | None:
        """Read an approval to show something of it, without locking it."""
        return await self.ask(lambda conn: read_case(conn, approval_id, user, self.grace, lock=False))

    async def ask(self, work: Work[Result], seconds: float = inf) -> Result:
        """Give `work` a connection, and the wait for it and the work together the database's time.

        Where only so many `seconds` are left, they have those.
        """
        seconds = min(seconds, self.patience.database)

        async def connected() -> Result:
            async with self.pool.connection(timeout=seconds) as conn:
                return await work(conn)

        return await within(seconds, connected())

    async def home_opened(self, user: str) -> None:
        """Have the Home drawn that somebody opened. Never raises: it is drawn when it is next opened."""
        with unraised("home_not_opened", user=user):
            await self.ask(lambda conn: homes.opened(conn, self.queue, user))

    async def home_changed(self, user: str) -> None:
        """Have a person's Home drawn after what they did, where it is open. Never raises."""
        with unraised("home_not_changed", user=user):
            await self.ask(lambda conn: homes.changed(conn, self.queue, user))

    async def _looking_up(self, click: Click, work: Callable[..., Awaitable[Result]]) -> Result:
        """Work with what is known; where that is too old to judge by, ask Slack and work again."""
        begun = _clock()
        try:
            return await self.ask(lambda conn: work(conn, looked_up=False))
        except Unchecked:
            await self._look_up(click)
        left = max(0.1, self.patience.answer - (_clock() - begun))
        return await self.ask(lambda conn: work(conn, looked_up=True), left)

    async def is_ours(self, user: str) -> bool | None:
        """Say whether somebody belongs to our workspace; None where nobody says so in time.

        That leaves time to record what they ask for.
        """
        try:
            return await within(self.patience.answer - self.patience.database, self._is_ours(user))
        except DatabaseAway as error:
            log.warning("not_looked_up", user=user, why=str(error))
            return None

    async def _is_ours(self, user: str) -> bool | None:
        await self.directory.freshen(user)
        row = await self.ask(lambda conn: _one(conn, _OURS, {"user": user, "kept": STALE_AFTER}))
        return None if row is None else bool(row["ours"])

    async def _look_up(self, click: Click) -> None:
        try:
            await within(self.patience.look_up + 0.1, self.directory.freshen(click.user, click.approval_id))
        except DatabaseAway as error:
            log.warning("not_looked_up", user=click.user, why=str(error))

    @asynccontextmanager
    async def answering(self, person: Person, away: str = UNSURE) -> AsyncIterator[None]:
        """Run what comes before an ack; where the database is `away`, say so and raise `NotDone`."""
        try:
            yield
        except DatabaseAway as error:
            await self.window.whisper(person, away)
            raise NotDone from error

    async def tell_why(self, person: Person, outcome: NotRecorded) -> None:
        """Tell one person why nothing was recorded. Never raises."""
        with unraised("not_told_why", user=person.user):
            await self.window.whisper(person, await self.wording(person, outcome), outcome.approval)

    async def tell_recorded(self, person: Person, recorded: Recorded) -> None:
        """Tell one person what the card does not: theirs stood already, or whose is lost. Never raises."""
        if not (recorded.lapsed or recorded.repeated):
            return
        stands = " ".join(progress(recorded.approval, recorded.votes))
        happened = f"Recorded. {lapsed(recorded.lapsed)}" if recorded.lapsed else REPEATED
        await self.window.whisper(person, f"{happened} {stands}", recorded.approval)

    async def unread(self, person: Person, act: str) -> None:
        """Keep in the audit that somebody used what stands for nothing here. Never raises."""
        with unraised("unknown_not_audited", user=person.user):
            await self.ask(lambda conn: unread(conn, self.queue, person.user, person.team, act))

    async def wording(self, person: Person, outcome: NotRecorded) -> str:
        """Word why nothing was recorded, with who may and where the live card is."""
        groups, link = await self.ask(lambda conn: _mentions(conn, outcome.approval))
        wrong = str(outcome.wrong or "")
        return refusal(
            outcome.why, outcome.approval, groups, link, wrong, user=person.user, thread=outcome.thread
        )

    async def link_to_new(self, approval: Approval) -> str | None:
        """Return the permalink of the card that asks instead of a superseded one; None for any other."""
        if approval.status != "superseded":
            return None
        return await self.ask(lambda conn: _card_now(conn, approval))


async def _mentions(
    conn: AsyncConnection[Any], approval: Approval | None
) -> tuple[Mapping[str, str], str | None]:
    """Return the groups' ids by handle and the permalink of the card that asks now, for a private answer."""
    if approval is None:
        return {}, None
    return await handles(conn), await _card_now(conn, approval)


async def _card_now(conn: AsyncConnection[Any], approval: Approval) -> str | None:
    """Return the permalink of the card that asks now; None before that is posted."""
    found = await conn.execute(_PLACE, {"id": approval.approval_id})
    row = await found.fetchone()
    return permalink(row["url"], row["channel_id"], row["ts"]) if row and row["ts"] and row["url"] else None


async def _one(conn: AsyncConnection[Any], query: str, about: Mapping[str, Any]) -> dict[str, Any] | None:
    return await (await conn.execute(query, about)).fetchone()


def _clock() -> float:
    return asyncio.get_running_loop().time()


_OURS = """
select p.profile ->> 'team_id' is not distinct from w.team_id as ours from people p, slack_workspace w
where p.user_id = %(user)s and signoff_now() - p.fetched_at < %(kept)s
"""

_PLACE = """
select w.url, m.channel_id, m.ts from slack_workspace w left join messages m on m.message_id =
    'card:' || coalesce((select instead from asked_instead where approval_id = %(id)s), %(id)s)
"""
