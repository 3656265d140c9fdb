"""A deadline that holds even for what does not let itself be cancelled."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bot.slack.listeners import deadline
from bot.slack.listeners.deadline import within


async def test_what_is_done_in_time_comes_back() -> None:
    async def work() -> str:
        return "done"

    assert await within(5, work()) == "done"


async def test_what_fails_in_time_raises_as_itself() -> None:
    async def work() -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        await within(5, work())


async def test_whoever_waits_does_not_wait_for_the_cleaning_up() -> None:
    cleaning, cleaned = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await cleaning.wait()
            cleaned.set()

    with pytest.raises(TimeoutError):
        await within(0.01, stubborn())
    assert not cleaned.is_set()

    cleaning.set()
    await cleaned.wait()


async def test_what_goes_wrong_behind_ones_back_is_logged_and_kept_nowhere() -> None:
    cleaned = asyncio.Event()

    async def breaks() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()
            raise OSError("the connection is lost")

    with capture_logs() as logs:
        with pytest.raises(TimeoutError):
            await within(0.01, breaks())
        await cleaned.wait()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert [entry["event"] for entry in logs] == ["given_up"]
    assert deadline._left_behind == set()


async def test_whoever_is_cancelled_cancels_what_they_wait_for() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(within(5, work()))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await cancelled.wait()
