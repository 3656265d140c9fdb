"""The worker: runs the queue's two tasks, and comes back by itself where the queue's machinery stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

import structlog
from procrastinate import JobContext
from procrastinate.exceptions import ProcrastinateException

from bot.postgres.jobs import ADVANCE, DRAW, QUEUES, Queue

log = structlog.get_logger("signoff.worker")

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 15.0
SHUTDOWN_SECONDS = 20.0
RESTART_SECONDS = 1.0


class Worker:
    """Registers `advance` and `draw` with the queue and runs them."""

    def __init__(
        self,
        queue: Queue,
        advance: Callable[[str, int | None], Awaitable[bool]],
        draw: Callable[[str], Awaitable[None]],
    ) -> None:
        self._queue = queue
        self._app = queue.app

        @self._app.task(name=ADVANCE, pass_context=True)
        async def _advance(context: JobContext, thread_id: str) -> None:
            if await advance(thread_id, context.job.id):
                queue.ended(context.job)

        @self._app.task(name=DRAW)
        async def _draw(message_id: str) -> None:
            await draw(message_id)

    async def drain(self, concurrency: int = 4) -> None:
        """Run what is enqueued, and what that enqueues, until nothing is left."""
        while await self._queue.waiting():
            await self._app.run_worker_async(
                wait=False,
                concurrency=concurrency,
                listen_notify=False,
                install_signal_handlers=False,
                delete_jobs="successful",
            )

    async def run(
        self, stop: asyncio.Event, *, concurrency: int, queues: Collection[str] | None = None
    ) -> None:
        """Work until `stop` is set; jobs under way may end within `SHUTDOWN_SECONDS`."""
        while not stop.is_set():
            work = asyncio.create_task(
                self._app.run_worker_async(
                    queues=list(queues or QUEUES),
                    concurrency=concurrency,
                    fetch_job_polling_interval=POLL_SECONDS,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                    shutdown_graceful_timeout=SHUTDOWN_SECONDS,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                )
            )
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            work.cancel()
            try:
                await work
            except asyncio.CancelledError:
                continue
            except (ProcrastinateException, OSError) as error:
                # What procrastinate raises says no more than that it is the database.
                log.warning("worker_restarts", why=" ".join(str(error.__cause__ or error).split()))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RESTART_SECONDS)
