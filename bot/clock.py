"""APScheduler as a metronome: every tick is a sweep that may run anywhere, at once, and twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from time import time as time_on_the_wall
from zoneinfo import ZoneInfo

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from procrastinate.exceptions import ConnectorException
from psycopg import OperationalError

from bot.engine.worker import STALLED_SECONDS
from bot.facts import dead_jobs, digests, homes, sweeps, voters
from bot.facts.threads import moment
from bot.house import House
from bot.postgres.fact import NewMessage, fact
from bot.slack.messages.digest import pages
from bot.slack.workspace.directory import Unreachable
from bot.slack.workspace.failures import read_failure

log = structlog.get_logger("signoff.clock")

PROBE_SECONDS = 10
UPKEEP_SECONDS = 30
WATCH_SECONDS = 5
DRAIN_SECONDS = 5
"""How long a sweep that is under way may take to end when the clock is stopped."""
ASLEEP_SECONDS = 60
"""After so long without a tick (a suspended machine, a database that was away) the clock looks at Slack
before it lets anything expire."""


class Clock:
    """The sweeps, bound to the parts they need."""

    def __init__(self, house: House, wall: Callable[[], float] = time_on_the_wall) -> None:
        self._house = house
        self._wall = wall
        self._ticked_at: float | None = None

    async def tick(self) -> None:
        """What people wait for: deadlines, and whatever fell behind."""
        house = self._house
        if self._ticked_at is not None and self._wall() - self._ticked_at > ASLEEP_SECONDS:
            await self.probe()
        async with house.work.connection() as conn:
            reach = await sweeps.reach(conn, house.settings.grace)
            await sweeps.deadlines(conn, house.queue, reach)
            await sweeps.threads_behind(conn, house.queue)
            await homes.behind(conn)
            await sweeps.messages_behind(conn, house.queue)
        self._ticked_at = self._wall()
        await self.digest()

    async def probe(self) -> None:
        """Note whether Slack can be reached: what nobody could have answered does not expire."""
        try:
            await self._house.client.auth_test()
            ok = True
        except Unreachable as error:
            log.warning("slack_unreachable", why=str(error))
            ok = False
        async with self._house.work.connection() as conn:
            await sweeps.slack_answered(conn, ok=ok)

    async def upkeep(self) -> None:
        """What may take its time: memberships, deleted cards, jobs of dead workers."""
        house = self._house
        await dead_jobs.clear_stalled(house.queue, STALLED_SECONDS)
        await dead_jobs.forget_failed(house.queue)
        await self._refresh_groups()
        await self._recheck_voters()
        async with house.work.connection() as conn:
            await sweeps.ops_again(conn, house.queue)
            cards = await sweeps.cards_to_verify(conn)
        for card in cards:
            await self._verify(card)

    async def digest(self) -> None:
        """Make the digest of the latest slot, where it has not been made."""
        house = self._house
        times = house.settings.digest_times
        if not times:
            return
        async with house.work.connection() as conn, fact(conn, house.queue) as recorded:
            key, came = digests.slot(await moment(conn), times, ZoneInfo(house.settings.timezone))
            digest = await digests.make(recorded, key, came)
            if digest is None:
                return
            ids = [f"digest:{key}:{n}" for n in range(len(pages(digest)))]
            for message_id, page in zip(ids, pages(digest, ids), strict=True):
                first = None if message_id == ids[0] else ids[0]
                body = {
                    "text": page.text,
                    "blocks": page.blocks,
                    "metadata": page.metadata,
                    "first": first,
                }
                recorded.post(NewMessage(message_id, "digest", target="", body=body))

    async def _refresh_groups(self) -> None:
        async with self._house.work.connection() as conn:
            found = await conn.execute(_GROUPS_OLD)
            row = await found.fetchone()
        if row is None or not row["old"]:
            return
        try:
            await self._house.directory.refresh_groups()
        except Unreachable as error:
            log.warning("groups_not_refreshed", why=str(error))

    async def _recheck_voters(self) -> None:
        """Know who voted on what still waits, and take away what does not count any more."""
        house = self._house
        async with house.work.connection() as conn:
            stale = await voters.not_looked_up(conn)
        for voter in stale:
            try:
                await house.directory.look_up_person(voter.user)
            except Unreachable as error:
                log.warning("voter_not_looked_up", user=voter.user, why=str(error))
                if read_failure(error).kind != "for_good":  # the next one would fail as well
                    return
            async with house.work.connection() as conn:
                for approval_id in voter.approvals:
                    await voters.recheck(conn, house.queue, approval_id)

    async def _verify(self, card: sweeps.Shown) -> None:
        """Look whether a card is still there, and whether everybody who may decide can see it."""
        house = self._house
        try:
            if await house.delivery.verify(card.channel_id, card.ts):
                await house.delivery.outsiders.tell(card.approval, card.thread, card.channel_id)
                return
        except Unreachable as error:
            log.info("card_not_verified", message_id=card.message_id, why=str(error))
            return
        async with house.work.connection() as conn:
            await sweeps.card_gone(conn, house.queue, card.message_id)


async def run_clock(house: House, stop: asyncio.Event) -> None:
    """Tick until `stop` is set, and let what is under way finish. Any number of clocks may run at once."""
    clock = Clock(house)
    scheduler = AsyncIOScheduler(
        timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    )
    under_way: set[asyncio.Future[None]] = set()
    await _guarded(clock.probe)()
    for sweep, seconds in (
        (clock.tick, house.settings.sweep_seconds),
        (clock.probe, PROBE_SECONDS),
        (clock.upkeep, UPKEEP_SECONDS),
    ):
        scheduler.add_job(_noted(_guarded(sweep), under_way), "interval", seconds=seconds)
    scheduler.start()
    try:
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
            go_on(scheduler, datetime.now(UTC))
        scheduler.pause()
        await asyncio.sleep(0)  # a sweep that was just begun has not said so yet
        if under_way:
            await asyncio.wait(under_way, timeout=DRAIN_SECONDS)
    finally:
        scheduler.shutdown(wait=False)  # it cancels what it still runs


def go_on(scheduler: AsyncIOScheduler, now: datetime) -> None:
    """Run now what would wait until the machine's clock, which was set back, is again where it was."""
    ahead = [job for job in scheduler.get_jobs() if job.next_run_time - now > job.trigger.interval]
    if ahead:
        log.warning("machine_clock_set_back", to=now.isoformat())
    for job in ahead:
        job.modify(next_run_time=now)


def _guarded(sweep: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Keep a failing sweep from being more than a missed tick: the next one does its work."""

    async def run() -> None:
        try:
            await sweep()
        except Exception as error:
            # The queue's own errors say no more than that it is the database.
            why = error.__cause__ if isinstance(error, ConnectorException) else error
            if isinstance(why, OperationalError):
                log.warning("database_away", sweep=sweep.__name__, why=str(why))
            else:
                log.exception("sweep_failed", sweep=sweep.__name__)

    return run


def _noted(
    sweep: Callable[[], Awaitable[None]], under_way: set[asyncio.Future[None]]
) -> Callable[[], Awaitable[None]]:
    """Keep in `under_way` the sweeps that run: the scheduler itself waits for none."""

    async def run() -> None:
        task = asyncio.ensure_future(sweep())
        under_way.add(task)
        try:
            with suppress(asyncio.CancelledError):  # which the scheduler would report as a failure
                await task
        finally:
            under_way.discard(task)

    return run


_GROUPS_OLD = """
select exists (select 1 from approvals where status = 'pending')
   and coalesce((select min(fetched_at) < signoff_now() - interval '5 minutes' from user_groups), true) as old
"""
