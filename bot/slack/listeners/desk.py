"""What every listener works with, and how it answers one person without ever raising after the ack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import metrics
from bot.facts import homes
from bot.facts.correcting import correct
from bot.facts.messages import card_id
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
from bot.postgres.errands import Errands
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval
from bot.slack.cards.asking import lapsed, progress
from bot.slack.cards.refusals import refusal, titled
from bot.slack.delivery.showing import Showing
from bot.slack.listeners.deadline import within
from bot.slack.messages.render import permalink
from bot.slack.workspace.directory import LOOK_UP_SECONDS, Directory, Unreachable, handles
from bot.slack.workspace.failures import code_of

log = structlog.get_logger("signoff.slack")

DATABASE_SECONDS = 1.5
"""What a click may wait for the database, all in all, out of Slack's three seconds."""

REDRAW_SECONDS = 1.0
"""What Slack may take to redraw a modal before another is closed; with the database's, within the three."""

ANSWER_SECONDS = 2.7
"""What it may take with a look-up in Slack in between."""

DatabaseAway = (OperationalError, PoolTimeout, TimeoutError)
"""How a slow or absent database shows within a listener's deadline."""

NOT_SHOWN = "The database did not answer in time, so I could not show that. Please try again in a moment."
"""What is true of a click that only shows something."""

UNSURE = (
    "The database did not answer in time, so I cannot say that this was recorded. "
    "Please try again in a moment: nothing counts twice, and I will say so if it is settled."
)
"""What is true of a commit that was never confirmed, and of a connection that was never got."""

REPEATED = "You have said so already, and it counts once."

Result = TypeVar("Result")
Work = Callable[[AsyncConnection[Any]], Awaitable[Result]]


class NotDone(Exception):
    """The database did not answer in time: nothing is known to be recorded, so nothing is acknowledged."""


@dataclass(frozen=True)
class Person:
    """Who clicked, and where an answer that only they see can be put."""

    user: str
    team: str | None
    channel: str | None
    thread_ts: str | None
    trigger_id: str | None


@dataclass(frozen=True)
class Desk:
    """The listeners' pool, queue and Slack client, what shows their facts, and the grace after an outage.

    What reads or writes the database raises one of `DatabaseAway` when its time is up.
    """

    client: AsyncWebClient
    pool: AsyncConnectionPool[Any]
    queue: Queue
    directory: Directory
    showing: Showing
    grace: timedelta

    @metrics.clicked
    async def cast(self, click: Click) -> Recorded | NotRecorded:
        """Record a verdict; when time is up it is not recorded, or nobody knows."""
        errands = Errands(self.queue)

        async def record(conn: AsyncConnection[Any], *, looked_up: bool) -> Recorded | NotRecorded:
            return await cast(conn, errands, click, self.grace, looked_up=looked_up)

        outcome = await self._looking_up(click, record)
        self.showing.soon(errands.drawings())
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

    async def ask(self, work: Work[Result], seconds: float = DATABASE_SECONDS) -> Result:
        """Give `work` a connection, and the wait for it and the work together `seconds`."""

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
        left = max(0.1, ANSWER_SECONDS - (_clock() - begun))
        return await self.ask(lambda conn: work(conn, looked_up=True), min(left, DATABASE_SECONDS))

    async def _look_up(self, click: Click) -> None:
        try:
            await within(LOOK_UP_SECONDS + 0.1, self.directory.freshen(click.user, click.approval_id))
        except DatabaseAway as error:
            log.warning("not_looked_up", user=click.user, why=str(error))

    @asynccontextmanager
    async def answering(self, person: Person, away: str = UNSURE) -> AsyncIterator[None]:
        """Run what comes before an ack; where the database is `away`, say so and raise `NotDone`."""
        try:
            yield
        except DatabaseAway as error:
            await self.whisper(person, away)
            raise NotDone from error

    async def tell_why(self, person: Person, outcome: NotRecorded) -> None:
        """Tell one person why nothing was recorded. Never raises."""
        with unraised("not_told_why", user=person.user):
            await self.whisper(person, await self.wording(person, outcome), outcome.approval)

    async def tell_recorded(self, person: Person, recorded: Recorded) -> None:
        """Tell one person what the card does not: theirs stood already, or whose is lost. Never raises."""
        if not (recorded.lapsed or recorded.repeated):
            return
        stands = " ".join(progress(recorded.approval, recorded.votes))
        happened = f"Recorded. {lapsed(recorded.lapsed)}" if recorded.lapsed else REPEATED
        await self.whisper(person, f"{happened} {stands}", recorded.approval)

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
        _, link = await self.ask(lambda conn: _mentions(conn, approval))
        return link

    async def whisper(self, person: Person, text: str, about: Approval | None = None) -> None:
        """Tell one person privately, directly where they cannot be told in the channel. Never raises.

        What is told directly names what it is `about`: there is no card beside it.
        """
        with unraised("whisper_failed", user=person.user):
            if person.channel and await self._ephemeral(person, text):
                return
            named = titled(about, text) if about else text
            call = self.client.chat_postMessage(channel=person.user, text=named)
            await metrics.called("chat.postMessage", call)

    async def _ephemeral(self, person: Person, text: str) -> bool:
        """Post where they clicked; False where Slack did not say it did: better told twice than never."""
        try:
            call = self.client.chat_postEphemeral(
                channel=person.channel or "", user=person.user, text=text, thread_ts=person.thread_ts
            )
            await metrics.called("chat.postEphemeral", call)
        except Unreachable as error:
            log.info("not_told_in_channel", user=person.user, error=str(error))
            return False
        return True

    async def open(self, person: Person, view: dict[str, Any]) -> None:
        """Open a modal with the click's trigger (3 seconds, one use), or say that Slack did not."""
        call = self.client.views_open(trigger_id=person.trigger_id or "", view=view)
        await self._opened(person, "views.open", call)

    async def push(self, person: Person, view: dict[str, Any]) -> None:
        """Open a modal on top of the one that was clicked in, or say that Slack did not."""
        call = self.client.views_push(trigger_id=person.trigger_id or "", view=view)
        await self._opened(person, "views.push", call)

    async def _opened(self, person: Person, method: str, call: Awaitable[Any]) -> None:
        try:
            await metrics.called(method, call)
        except Unreachable as error:
            log.warning("modal_failed", user=person.user, error=str(error))
            await self.whisper(person, "Slack did not let me open that; please click again.")

    async def redrawn(self, view_id: str, view: dict[str, Any]) -> bool:
        """Replace an open modal before an acknowledgement; False where Slack did not in time."""
        try:
            call = self.client.views_update(view_id=view_id, view=view)
            await within(REDRAW_SECONDS, metrics.called("views.update", call))
        except (*Unreachable, TimeoutError) as error:
            log.warning("modal_not_redrawn", error=str(error))
            return False
        return True

    async def turn(self, person: Person, view: dict[str, Any], page: dict[str, Any]) -> None:
        """Put another page into an open modal, unless it is another by now, or closed. Never raises."""
        try:
            call = self.client.views_update(view_id=view["id"], hash=view.get("hash"), view=page)
            await metrics.called("views.update", call)
        except Unreachable as error:
            log.warning("page_not_turned", user=person.user, error=str(error))
            if not (isinstance(error, SlackApiError) and code_of(error) in ("hash_conflict", "not_found")):
                await self.whisper(person, "Slack did not let me show that; please click again.")


@contextmanager
def unraised(event: str, **about: Any) -> Iterator[None]:
    """Log what goes wrong after an acknowledgement: a raise there would take it back (Bolt 1.30)."""
    try:
        yield
    except (*DatabaseAway, *Unreachable) as error:
        log.warning(event, error=str(error), **about)
    except Exception:
        log.exception(event, **about)


def person_of(body: dict[str, Any]) -> Person:
    """Read who did it and where, from any interactive payload."""
    user = body.get("user") or {}
    container = body.get("container") or {}
    message = body.get("message") or {}
    thread_ts = message.get("thread_ts")
    return Person(
        user=user.get("id", ""),
        team=user.get("team_id") or (body.get("team") or {}).get("id"),
        channel=(body.get("channel") or {}).get("id") or container.get("channel_id"),
        # A card with replies names itself as their thread; an answer in there would not be seen.
        thread_ts=thread_ts if thread_ts != message.get("ts") else None,
        trigger_id=body.get("trigger_id"),
    )


async def _mentions(
    conn: AsyncConnection[Any], approval: Approval | None
) -> tuple[Mapping[str, str], str | None]:
    """Return the groups' ids by handle and the permalink of the card that asks now, for a private answer."""
    if approval is None:
        return {}, None
    about = {
        "superseded": approval.status == "superseded",
        "thread": approval.thread_id,
        "interrupt": approval.interrupt_id,
        "card": card_id(approval.approval_id),
    }
    found = await conn.execute(_PLACE, about)
    row = await found.fetchone()
    link = permalink(row["url"], row["channel_id"], row["ts"]) if row and row["ts"] and row["url"] else None
    return await handles(conn), link


def _clock() -> float:
    return asyncio.get_running_loop().time()


_PLACE = """
select w.url, m.channel_id, m.ts from slack_workspace w left join messages m on m.message_id = coalesce(
    (select 'card:' || n.approval_id from approvals n
     where %(superseded)s and n.thread_id = %(thread)s and n.interrupt_id = %(interrupt)s
       and n.status <> 'superseded'),
    %(card)s)
"""
