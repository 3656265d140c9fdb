"""Shows what a click recorded at once, in the process that heard it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

log = structlog.get_logger("signoff.slack")

PATIENCE = 0.15
"""Seconds to wait for what a quick graph does with an answer: its end is then shown in the same update."""

AT_ONCE = 8
LAST_SECONDS = 5.0
"""What is under way may take so long when the process ends."""


class Showing:
    """Draws in the background. Nothing hangs on it: rows say what is wanted, and a sweep looks after them."""

    def __init__(self, draw: Callable[[str], Awaitable[None]], patience: float = PATIENCE) -> None:
        self._draw = draw
        self._patience = patience
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, message_ids: Sequence[str]) -> None:
        """Draw these, one after the other, without keeping anybody waiting."""
        if message_ids:
            task = asyncio.create_task(self._show(message_ids))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def end(self) -> None:
        """Let what is under way finish, for a moment."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_SECONDS)

    async def _show(self, message_ids: Sequence[str]) -> None:
        await asyncio.sleep(self._patience)
        async with self._places:
            for message_id in message_ids:
                try:
                    await self._draw(message_id)
                except Exception as error:  # noqa: BLE001  a job would end like this, too
                    log.warning("not_shown_at_once", message_id=message_id, error=str(error))
