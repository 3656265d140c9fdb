"""The demo's own controls on the page: its clock, things to start, and what happened so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from bot.demo.clock import DemoClock
from bot.demo.happened import happened
from bot.demo.moves import HOME, MOVES, NEXT_DAY, NEXT_DAY_LABEL, next_working_day
from bot.demo.samples import SAMPLES, Sample
from bot.emulator import Json
from bot.emulator.errors import CannotDo
from bot.emulator.faults import Faults
from bot.facts.threads import Start, moment, start
from bot.postgres import time_machine
from bot.postgres.jobs import Queue
from bot.postgres.pools import Pool

NOTE = "Move the clock forward (above) to see reminders, escalation, fallbacks and the digest."

CLOCK, START, SLACK = "clock", "start", "slack"
"""Where a button stands on the page: beside the clock, or in the side panel's groups."""


@dataclass
class DemoPanel:
    """Reads and moves one demo. `faults` are its Slack's; `clock` is what its Slack goes by."""

    pool: Pool
    queue: Queue
    faults: Faults | None = None
    clock: DemoClock = field(default_factory=DemoClock)

    async def state(self) -> Json:
        try:
            return await self._state()
        except (OperationalError, PoolTimeout):
            return {"now": None, "note": "Postgres cannot be reached", "actions": [], "sections": []}

    async def act(self, action: str) -> Json:
        """Do what a button says; raises `CannotDo` where there is none of that name, or no Postgres."""
        try:
            return await self._act(action)
        except (OperationalError, PoolTimeout) as error:
            raise CannotDo("Postgres cannot be reached; nothing was done") from error

    async def _act(self, action: str) -> Json:
        if action in MOVES or action == NEXT_DAY:
            await self._move(action)
        elif action in ("slack-down", "slack-up"):
            self._let_slack(down=action == "slack-down")
        else:
            sample = next((sample for sample in SAMPLES if sample.name == action), None)
            if sample is None:
                raise CannotDo("this demo has no such button; load the page again")
            return {"thread_id": await self._start(sample)}
        return {}

    async def _move(self, action: str) -> None:
        """Move the clock; a Slack that is up was up all the time that is skipped."""
        async with self.pool.connection() as conn, conn.transaction():
            if action == NEXT_DAY:
                await time_machine.set_to(conn, next_working_day(await _now(conn)))
            else:
                await time_machine.shift(conn, MOVES[action][1])
            if self.faults is None or not self.faults.down:
                await conn.execute(_WAS_UP)
        async with self.pool.connection() as conn:
            await self.clock.follow(conn)

    async def begin(self) -> None:
        """Start each sample once in the life of this demo."""
        for sample in SAMPLES:
            if sample.at_first:
                await self._start(sample, only=f"first:{sample.name}")

    async def _start(self, sample: Sample, only: str | None = None) -> str:
        async with self.pool.connection() as conn:
            now = (await _now(conn)).astimezone(HOME)
            found = await conn.execute(_STARTED, {"sample": f"%:{sample.name}", "starter": sample.starter})
            row = await found.fetchone()
            n = 0 if only else int(row["n"] if row else 0)
            key = only or f"{n}:{sample.name}"
            begin = Start(
                sample.workflow, sample.made(n, now), sample.starter, sample.requester, key, sample.autonomy
            )
            return await start(conn, self.queue, begin)

    def _let_slack(self, *, down: bool) -> None:
        if self.faults is not None:
            self.faults.down = down

    async def _state(self) -> Json:
        async with self.pool.connection() as conn:
            now = await _now(conn)
            sections = await happened(conn, now)
        return {
            "now": now.isoformat(),
            "note": NOTE,
            "actions": self._actions(),
            "sections": sections,
        }

    def _actions(self) -> list[Json]:
        moves = [_button(CLOCK, name, label, "Move the demo's clock") for name, (label, _) in MOVES.items()]
        moves.append(_button(CLOCK, NEXT_DAY, NEXT_DAY_LABEL, "At 09:00, Berlin's time"))
        starts = [_button(START, sample.name, sample.label, sample.hint) for sample in SAMPLES]
        return [*moves, *starts, self._outage()]

    def _outage(self) -> Json:
        if self.faults is not None and self.faults.down:
            return _button(SLACK, "slack-up", "Bring Slack back", "What was missed is drawn at once")
        hint = "Workflows go on, nothing expires unseen, and messages are drawn when it is back"
        return _button(SLACK, "slack-down", "Take Slack down", hint)


def _button(group: str, name: str, label: str, hint: str) -> Json:
    return {"group": group, "id": name, "label": label, "hint": hint}


async def _now(conn: Any) -> datetime:
    now: datetime = await moment(conn)
    return now


_WAS_UP = "update slack_workspace set checked_at = signoff_now() where ok_since is not null"

_STARTED = """
select count(*) as n from threads where starter = %(starter)s and idempotency_key like %(sample)s
"""
