"""Shows at once what a click recorded, in the process that heard it, and what runs have handed on to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

log = structlog.get_logger("signoff.slack")

PATIENCE = 0.25
"""Seconds to wait at most for what a graph does with an answer: that is then shown in the same update."""

AT_ONCE = 8
"""So many clicks, and so many runs, are shown at a time: no click waits for what runs recorded."""

MOST_WAITING = 1000
"""What is handed on beyond that is left to the sweep, which wakes workers for it."""

LAST_BEGUN_SECONDS, LAST_SECONDS = 2.0, 3.0
"""When the process ends: what waits is still begun for so long, and what is under way may then finish."""


class Showing:
    """Draws in the background. Nothing hangs on it: rows say what is wanted, and a sweep looks after them."""

    def __init__(self, draw: Callable[[str], Awaitable[None]], patience: float = PATIENCE) -> None:
        self._draw = draw
        self._patience = patience
        self._clicks = _Waiting()
        self._runs = _Waiting()
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving = False

    def soon(self, message_ids: Sequence[str]) -> None:
        """Draw what a click recorded, one after the other, without keeping anybody waiting."""
        self._begin(message_ids, self._clicks, self._patience)

    def handed_on(self, message_ids: Sequence[str]) -> None:
        """Draw what a run recorded, one after the other; a click that waits for that is shown now."""
        left = [message_id for message_id in message_ids if not self._clicks.hurry(message_id)]
        if len(self._runs.messages) < MOST_WAITING:
            self._begin(left, self._runs)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def end(self) -> None:
        """Draw what waits for a moment more, and let what is under way finish; others draw the rest.

        What is cut off may have reached Slack: nobody touches it again before its lease is over.
        """
        await self._wait(LAST_BEGUN_SECONDS)
        self._leaving = True
        await self._wait(LAST_SECONDS)

    async def _wait(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def _begin(self, message_ids: Sequence[str], among: _Waiting, patience: float = 0.0) -> None:
        """Draw all but what waits to be drawn already: it will be drawn as it is then."""
        fresh = [each for each in dict.fromkeys(message_ids) if each not in among.messages]
        if fresh:
            task = asyncio.create_task(self._show(fresh, among, among.add(fresh), patience))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _show(
        self, message_ids: Sequence[str], among: _Waiting, come: asyncio.Event, patience: float
    ) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await come.wait()
        async with among.places:
            for message_id in message_ids:
                if self._leaving:
                    return
                among.messages.pop(message_id)
                try:
                    await self._draw(message_id)
                except Exception as error:  # noqa: BLE001  a job would end like this, too
                    log.warning("not_shown_at_once", message_id=message_id, error=str(error))


class _Waiting:
    """What waits to be drawn, by message, with what says that there is nothing left to wait for."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(AT_ONCE)
        self.messages: dict[str, asyncio.Event] = {}

    def add(self, message_ids: Sequence[str]) -> asyncio.Event:
        come = asyncio.Event()
        self.messages.update(dict.fromkeys(message_ids, come))
        return come

    def hurry(self, message_id: str) -> bool:
        """Have a message drawn now; False where it does not wait here."""
        come = self.messages.get(message_id)
        if come is not None:
            come.set()
        return come is not None
