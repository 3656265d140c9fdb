"""The emulator as a process of its own: it says how to reach it, and a kill loses no message."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from slack_sdk.web.async_client import AsyncWebClient

PROGRAM = """
import asyncio, functools, pathlib, sys
from bot.emulator import serve
say = functools.partial(print, flush=True)
asyncio.run(serve(port=0, path=pathlib.Path(sys.argv[1]), announce=say))
"""


@asynccontextmanager
async def alone(path: Path) -> AsyncIterator[tuple[Process, AsyncWebClient]]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(path), stdout=PIPE)
    assert process.stdout is not None
    variables = {}
    while "SLACK_SIGNING_SECRET" not in variables:
        line = (await process.stdout.readline()).decode()
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            variables[name] = value
    try:
        yield process, AsyncWebClient(variables["SLACK_BOT_TOKEN"], base_url=variables["SLACK_API_URL"])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_a_killed_emulator_still_has_its_messages_and_ends_cleanly_when_asked(tmp_path: Path) -> None:
    async with alone(tmp_path / "slack.db") as (process, client):
        await client.chat_postMessage(channel="#general", text="Before")
        process.kill()

    async with alone(tmp_path / "slack.db") as (process, client):
        history = await client.conversations_history(channel="C05GENERAL")

    assert [message["text"] for message in history["messages"]] == ["Before"]
    assert process.returncode == 0
