"""A deadline that holds whatever hangs: who waits goes on, and what was begun is cleaned up behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

Result = TypeVar("Result")

log = structlog.get_logger("signoff.slack")

_left_behind: set[asyncio.Task[Any]] = set()
"""The event loop itself keeps only weak references."""


async def within(seconds: float, work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` returns, or raise TimeoutError after `seconds`.

    `asyncio.timeout` waits for what it cancels, and a database driver takes seconds to cancel a statement of
    a server that has stopped answering.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            _left_behind.add(task)
            task.add_done_callback(_cleaned_up)
    if not task.done():
        raise TimeoutError
    return task.result()


def _cleaned_up(task: asyncio.Task[Any]) -> None:
    _left_behind.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.info("given_up", why=type(error).__name__)
