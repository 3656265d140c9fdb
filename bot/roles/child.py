"""Workers in a process of their own: a node that blocks cannot keep a click waiting."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from bot.engine.worker import SHUTDOWN_SECONDS
from bot.roles.stopping import Rest, pause

log = structlog.get_logger("signoff.process")

LONGEST_WAIT = 30.0
STEADY_SECONDS = 60.0
"""After so long the next death counts as the first."""


def worker_command() -> tuple[str, ...]:
    """Return what starts a worker that finds modules exactly where this process does.

    `-m` would look first into the folder that one stands in, where any `click.py` would take the place of
    what is installed.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; from bot.cli import app; app(prog_name='signoff')"
    return sys.executable, "-P", "-c", code, "worker", "--with-parent"


async def keep_worker(
    stop: asyncio.Event,
    environ: Mapping[str, str],
    command: Sequence[str] | None = None,
    rest: Rest = pause,
) -> None:
    """Run a worker process until `stop` is set, starting it again, ever later, when it dies.

    Its stdin is a pipe that it watches: when this process dies, in whatever way, it ends too.
    """
    deaths = 0
    while not stop.is_set():
        begun = time.monotonic()
        try:
            child = await asyncio.create_subprocess_exec(
                *(command or worker_command()),
                stdin=asyncio.subprocess.PIPE,
                env={**os.environ, **environ},
                start_new_session=True,  # Ctrl-C is for the parent, which ends its child in order
            )
        except OSError as error:  # no memory, no more processes or open files: that may pass
            how: dict[str, object] = {"why": f"it could not be started: {error.strerror}"}
        else:
            how = {"exit_code": await _until_it_ends(child, stop)}
        if stop.is_set():
            return
        deaths = 1 if time.monotonic() - begun > STEADY_SECONDS else deaths + 1
        wait = min(2.0 ** (deaths - 1), LONGEST_WAIT)
        log.warning("worker_died", **how, starts_again_in=wait)
        await rest(stop, wait)


async def _until_it_ends(child: asyncio.subprocess.Process, stop: asyncio.Event) -> int:
    ended = asyncio.create_task(child.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        _ask_to_end(child)
    try:
        async with asyncio.timeout(SHUTDOWN_SECONDS + 5):
            return await ended
    except TimeoutError:
        child.kill()
        return await child.wait()


def _ask_to_end(child: asyncio.subprocess.Process) -> None:
    """Close its stdin, and tell it: one that is still starting does not look at its stdin yet."""
    if child.stdin:
        child.stdin.close()
    with suppress(ProcessLookupError):
        child.terminate()
