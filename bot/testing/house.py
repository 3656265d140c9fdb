"""Who works there and what time it is: the house that runs happen in, in a test."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from bot.testing.people import People

MONDAY = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)
"""When tests begin, unless they move the clock first: a working day in January, and no holiday."""

T = TypeVar("T")


class Timed(Protocol):
    """What the clock has something to do for, at `next_at`."""

    @property
    def next_at(self) -> datetime | None: ...

    def recheck(self) -> None: ...

    def tick(self) -> None: ...


class House:
    """People, whether cards arrive, and a clock that tests move for all that runs."""

    def __init__(self) -> None:
        self.now = MONDAY
        self.delivers = True
        self.people = People()
        self._runs: list[Timed] = []
        self._loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def group(self, handle: str, *users: str) -> None:
        """Say who is in a user group (`@finance-managers`); what no test says is in no group."""
        self.people.form(handle, users)

    def person(
        self,
        user: str,
        *,
        guest: bool = False,
        bot: bool = False,
        deactivated: bool = False,
        team: str = "",
    ) -> None:
        """Say that somebody is no ordinary member: a guest, an app, deactivated, or of another workspace."""
        self.people.describe(user, guest=guest, bot=bot, deactivated=deactivated, team=team)

    def move_clock(self, by: timedelta) -> None:
        """Let time pass for everything that runs: reminders, escalations and deadlines, each in its turn."""
        self.until(self.now + by)

    def until(self, moment: datetime) -> None:
        """Let time pass until an aware moment; raises ValueError for one that has passed."""
        if moment.tzinfo is None or moment < self.now:
            raise ValueError(
                f"the clock stands at {self.now:%Y-%m-%d %H:%M %Z} and only goes on to aware moments"
            )
        while (run := self._next(moment)) and run.next_at is not None:
            self.now = max(self.now, run.next_at)
            run.recheck()
            run.tick()
        self.now = moment
        for run in self._runs:
            run.recheck()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, in a loop of its own, also where the test itself is a coroutine."""
        if not _in_a_loop():
            return self._loop.run(work)
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(self._loop.run, work).result()

    def _next(self, moment: datetime) -> Timed | None:
        due = [run for run in self._runs if run.next_at is not None and run.next_at <= moment]
        return min(due, key=lambda run: run.next_at or moment, default=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.close()


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
