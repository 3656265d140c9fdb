"""Signoff as it is deployed, in processes of its own, on one Postgres, talking to one local Slack."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.emulator import Emulator
from bot.postgres import time_machine
from bot.postgres.jobs import Queue
from bot.postgres.pools import Pool, queue_pool

ROLES = {
    "worker-1": ("worker", "--concurrency", "4"),
    "worker-2": ("worker", "--concurrency", "4"),
    "web": ("web",),
    "clock": ("clock",),
}


@dataclass
class Town:
    """What runs, and how to kill it."""

    slack: Emulator
    pool: Pool
    queue: Queue
    environ: Mapping[str, str]
    logs: Path
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    kills: int = 0

    async def open(self, role: str) -> None:
        """Start a role's process; what it says goes into a file of its own."""
        with (self.logs / f"{role}.log").open("ab") as log:
            self.running[role] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", *ROLES[role]),
                env={**os.environ, **self.environ},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def kill(self, role: str) -> None:
        """kill -9, and another one takes its place."""
        await self.end(role, signal.SIGKILL)
        self.kills += 1
        await self.open(role)

    async def tend(self) -> None:
        """Start again what ended by itself, as whatever runs it would."""
        for role, process in list(self.running.items()):
            if process.returncode is not None:
                await self.open(role)

    async def end(self, role: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End a role's process, where one runs: a storm that is over may have left between two of them."""
        if (process := self.running.get(role)) is None:
            return
        if process.returncode is None:
            process.send_signal(how)
        await process.wait()
        self.running.pop(role, None)

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn:
            found = await conn.execute(query, values)
            return await found.fetchall() if found.description else []

    def said(self) -> str:
        """The end of what each process said."""
        return "\n".join(
            f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.logs.glob("*.log"))
        )


@asynccontextmanager
async def town(dsn: str, logs: Path) -> AsyncIterator[Town]:
    """Open all roles on a migrated database whose clock can be shifted; ends them at the end."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Emulator(rate_limits=False))
        pool = await stack.enter_async_context(queue_pool(dsn))
        queue = Queue(pool)
        await queue.open()
        async with pool.connection() as conn:
            await time_machine.install(conn)
        environ = slack.environment() | {
            "DATABASE_URL": dsn,
            "SIGNOFF_EFFECTS_URL": dsn,
            "SIGNOFF_OPS_CHANNEL": "#signoff-ops",
            "SIGNOFF_SWEEP_SECONDS": "0.3",
            "PORT": str(_free_port()),
            "PYTHONUNBUFFERED": "1",  # what a process said before it was killed
        }
        made = Town(slack, pool, queue, environ, logs)
        try:
            await asyncio.gather(*(made.open(role) for role in ROLES))
            yield made
        finally:
            await asyncio.gather(*(made.end(role) for role in list(made.running)))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
