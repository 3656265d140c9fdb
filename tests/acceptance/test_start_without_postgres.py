"""A role that starts while Postgres is away waits for it; what somebody has to mend ends it at once."""

from __future__ import annotations

import asyncio
import os
import sys

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bot.postgres.away import away
from bot.roles.waiting import until

NOWHERE = "postgresql://127.0.0.1:1/nowhere"


async def test_a_server_that_does_not_listen_is_away(database):
    assert "Connection refused" in (await away(NOWHERE) or "")
    assert await away(database) is None


@pytest.mark.parametrize("wrong", [{"dbname": "no_such_database"}, {"user": "nobody_here"}])
async def test_what_the_server_answers_and_refuses_does_not_pass_by_waiting(database, wrong):
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        await away(make_conninfo(database, **wrong))


async def test_what_is_away_is_asked_for_ever_less_often_until_it_answers():
    answers = iter(["gone", "gone", "gone", "gone", "gone", "gone", None])
    rests: list[float] = []

    async def away() -> str | None:
        return next(answers)

    async def rest(stop: asyncio.Event, seconds: float) -> None:
        rests.append(seconds)

    assert await until(away, "away", asyncio.Event(), rest)
    assert rests == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


async def test_a_question_that_hangs_is_let_go_when_it_is_time_to_stop():
    stop, asked = asyncio.Event(), asyncio.Event()

    async def away() -> str | None:
        asked.set()
        await asyncio.Event().wait()
        return None

    waiting = asyncio.create_task(until(away, "away", stop))
    await asked.wait()
    stop.set()

    assert not await waiting


@pytest.mark.parametrize("role", ["worker", "run"])
async def test_a_role_that_waits_for_postgres_says_so_and_ends_in_order_when_it_is_told_to(role):
    given = {"DATABASE_URL": NOWHERE, "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", role), env=os.environ | given, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    said = await process.stderr.readline()
    process.terminate()

    assert b"postgres_unreachable" in said
    assert b"Connection refused" in said
    assert await process.wait() == 0


async def test_a_short_command_does_not_wait_for_postgres():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "threads"),
        env=os.environ | {"DATABASE_URL": NOWHERE},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()

    assert process.returncode == 1
    assert said.startswith(b"signoff: Postgres cannot be reached")
    assert len(said.splitlines()) == 1
