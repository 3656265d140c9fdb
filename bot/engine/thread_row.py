"""The row of a thread while its lock is held: what it says of the run, and how far that run had looked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection, AsyncCursor
from psycopg.types.json import Json

from bot.approvals.errors import SignoffError
from bot.approvals.states import ThreadStatus
from bot.engine.raised import backoff, line, trace
from bot.postgres.rows import Thread

RECOVERED = "thread.recovered"
MOST_DEATHS = 10


class KillsWorkers(SignoffError):
    """One worker after the other died while it ran this thread."""


class ThreadRow:
    """One thread's row, written only by the holder of its lock, on the lock's connection."""

    def __init__(self, conn: AsyncConnection[Any], thread: Thread) -> None:
        self._conn = conn
        self.thread = thread

    async def runs(self) -> None:
        """Say that it runs; how often it raised stays counted until a run gets somewhere."""
        if self.thread.status != "running":
            await self._write(_RUNS)
            self.thread = replace(self.thread, status="running")

    async def recovers(self, now: datetime) -> int:
        """Say that it runs on after a worker died in it; returns how many have, one after the other.

        If this one dies too, the next waits the longer, and at last it is given up (`KillsWorkers`): a node
        that exits, or takes all memory, must not keep the other threads from running.
        """
        found = await self._conn.execute(_DEATHS, {"id": self.thread.thread_id, "event": RECOVERED})
        row = await found.fetchone()
        deaths = 1 + (row["deaths"] if row else 0)
        if deaths > MOST_DEATHS:
            raise KillsWorkers(f"{MOST_DEATHS} workers died, one after the other, while they ran it.")
        await self._write(_RECOVERS, seconds=backoff(deaths).total_seconds())
        self.thread = replace(self.thread, status="running", retry_at=now)
        return deaths

    async def sends(self, approval_ids: list[str]) -> None:
        """Write, before answers are sent, that they are: the mark that proves it."""
        await self._write(_SENDS, approvals=approval_ids)
        self.thread = replace(self.thread, status="running", attempts=0, retry_at=None, error=None)

    async def waits(self) -> None:
        """Say that it waits for people, with nothing of what it raised before."""
        thread = self.thread
        if thread.status != "waiting" or thread.attempts or thread.retry_at or thread.error:
            await self._write_reached(_WAITS)
            self.thread = replace(self.thread, status="waiting", attempts=0, retry_at=None, error=None)

    async def tries_later(self, error: BaseException, attempts: int) -> None:
        """Keep what a node raised, and when to try again."""
        await self._write_reached(
            _TRIES_LATER,
            attempts=attempts,
            seconds=backoff(attempts).total_seconds(),
            error=line(error),
            traceback=trace(error),
        )

    async def held(self, problem: str) -> None:
        """Leave it for a worker that can run it; it is looked at again in a minute."""
        await self._write_reached(_HELD, problem=problem)

    async def ends(
        self, status: ThreadStatus, *, result: Any = None, why: str | None = None, details: str | None = None
    ) -> None:
        """Say how it ended, and with what plain JSON."""
        kept = None if result is None else Json(result)
        await self._write_reached(_ENDS, status=status, result=kept, error=why, traceback=details)
        self.thread = replace(self.thread, status=status)

    async def decided(self) -> list[str]:
        """Return the ids of its approvals that people, policy or the clock decided."""
        found = await self._write(_DECIDED)
        return [row["approval_id"] for row in await found.fetchall()]

    async def reach(self) -> None:
        """Write down what was wanted when the lock was taken, where nothing else has written it."""
        if self.thread.reached < self.thread.wanted:
            await self._write_reached(_REACHED)

    async def _write(self, statement: LiteralString, **values: Any) -> AsyncCursor[Any]:
        return await self._conn.execute(statement, {"id": self.thread.thread_id, **values})

    async def _write_reached(self, statement: LiteralString, **values: Any) -> AsyncCursor[Any]:
        found = await self._write(statement, reached=self.thread.wanted, **values)
        self.thread = replace(self.thread, reached=self.thread.wanted)
        return found


_REACHED = "update threads set reached = greatest(reached, %(reached)s) where thread_id = %(id)s"

# A run may be wanted for nothing more, as one that tries again: if its worker dies, this time wakes another.
_RUNS = """
update threads set status = 'running', updated_at = signoff_now(),
                   retry_at = case when wanted > reached then retry_at
                                   else coalesce(retry_at, signoff_now()) end
where thread_id = %(id)s
"""

_DEATHS = """
select count(*) as deaths from audit
where chain = %(id)s and n > coalesce(
    (select max(n) from audit where chain = %(id)s and body::jsonb ->> 'event' <> %(event)s), 0)
"""

_RECOVERS = """
update threads set status = 'running', retry_at = signoff_now() + make_interval(secs => %(seconds)s),
                   updated_at = signoff_now()
where thread_id = %(id)s
"""

_SENDS = """
with sent as (update approvals set applying_at = signoff_now() where approval_id = any(%(approvals)s))
update threads set status = 'running', attempts = 0, error = null, traceback = null,
                   retry_at = case when wanted > reached then null else signoff_now() end,
                   updated_at = signoff_now()
where thread_id = %(id)s
"""

_WAITS = """
update threads set status = 'waiting', attempts = 0, retry_at = null, error = null, traceback = null,
                   reached = greatest(reached, %(reached)s), updated_at = signoff_now()
where thread_id = %(id)s
"""

_TRIES_LATER = """
update threads set status = 'running', attempts = %(attempts)s, error = %(error)s, traceback = %(traceback)s,
                   retry_at = signoff_now() + make_interval(secs => %(seconds)s),
                   reached = greatest(reached, %(reached)s), updated_at = signoff_now()
where thread_id = %(id)s
"""

_HELD = """
update threads set retry_at = signoff_now() + interval '1 minute', error = %(problem)s,
                   reached = greatest(reached, %(reached)s), updated_at = signoff_now()
where thread_id = %(id)s
"""

_ENDS = """
update threads set status = %(status)s, result = %(result)s, error = %(error)s, traceback = %(traceback)s,
                   attempts = 0, retry_at = null, reached = greatest(reached, %(reached)s),
                   updated_at = signoff_now(), ended_at = signoff_now()
where thread_id = %(id)s
"""

_DECIDED = "select approval_id from approvals where thread_id = %(id)s and status in ('decided', 'expired')"
