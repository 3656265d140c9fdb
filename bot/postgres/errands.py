"""What a process does itself once a fact is committed: showing what it has just recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from procrastinate.jobs import Job
from psycopg import AsyncConnection

from bot.postgres.jobs import DRAW, Wakes


class Errands:
    """A queue that keeps the drawings of one run, or of one click, and passes the rest on.

    A job costs a worker three statements and more; what this very process is about to do needs none. Nothing
    hangs on it: the rows say what is wanted, and where the process dies first a sweep wakes a worker.
    """

    draws_itself = True

    def __init__(self, queue: Wakes) -> None:
        self._queue = queue
        self._drawings: dict[str, int] = {}

    async def enqueue(self, conn: AsyncConnection[Any], jobs: Iterable[Job]) -> None:
        """Keep what is to be drawn; enqueue what is not in `conn`'s transaction."""
        others = []
        for job in jobs:
            if job.task_name == DRAW:
                self._drawings[str(job.task_kwargs["message_id"])] = job.priority
            else:
                others.append(job)
        if others:
            await self._queue.enqueue(conn, others)

    @property
    def drawings(self) -> list[str]:
        """The messages to draw, the most urgent first."""
        return sorted(self._drawings, key=lambda message_id: -self._drawings[message_id])

    def handed_on(self) -> None:
        """Leave the drawings to another process, which has heard of them."""
        self._drawings.clear()
