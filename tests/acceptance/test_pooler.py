"""Web and clock through a real transaction pooler, workers past it; skipped where PgBouncer is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from asking import asked, offer
from fixtures_house import (
    FINANCE,
    FINN,
    MAYA,
    PATIENCE,
    ROSA,
    TOKEN,
    UNHURRIED,
    Running,
    api_client,
    let_bolt_wait,
    running_house,
)
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from test_cli_database import HOTEL, signoff  # noqa: F401  # a fixture
from test_http_slack import served

from bot.api.app import http_app
from bot.approvals import Sla
from bot.clock import Clock
from bot.commands.database import Database
from bot.commands.running import reached
from bot.emulator import Emulator
from bot.house import opened
from bot.postgres.migrate import is_pooled
from bot.postgres.pools import begin, listeners_pool, queue_pool
from bot.roles.roles import Reached
from workflows.expense import samples

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")

NOBODY = 65534
CONFIG = """
[databases]
{dbname} = {target}
[pgbouncer]
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_round_robin = 1
"""


@pytest.fixture
async def pooler(database: str) -> AsyncIterator[str]:
    """The DSN of `database` through a PgBouncer, where a connection is lent for a transaction."""
    at = {key: str(value) for key, value in conninfo_to_dict(database).items()}
    with tempfile.TemporaryDirectory(prefix="signoff-pooler-") as folder:
        async with _reachable(at, folder) as target:
            config = CONFIG.format(dbname=at["dbname"], target=make_conninfo(**target), folder=folder)
            async with _pgbouncer(config, folder):
                yield make_conninfo(host=folder, port=6432, dbname=at["dbname"], user="anybody")


@asynccontextmanager
async def _reachable(at: dict[str, str], folder: str) -> AsyncIterator[dict[str, str]]:
    """Lead to the server through a socket in `folder`: PgBouncer's account may not enter the server's own."""
    if not at.get("host", "").startswith("/"):
        yield at
        return
    port = at.get("port", "5432")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{at['host']}/.s.PGSQL.{port}")
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    server = await asyncio.start_unix_server(forward, f"{folder}/.s.PGSQL.{port}")
    async with server:
        yield at | {"host": folder}


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:  # also where a test ends before they do
        writer.close()


def _written(config: str, folder: Path, account: int | None) -> str:
    file = folder / "pgbouncer.ini"
    file.write_text(config)
    if account is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account, -1)
    return str(file)


@asynccontextmanager
async def _pgbouncer(config: str, folder: str) -> AsyncIterator[None]:
    """Run it as an account of its own where we are root, which it refuses to be."""
    account = NOBODY if os.geteuid() == 0 else None
    process = await asyncio.create_subprocess_exec(
        *(str(PGBOUNCER), _written(config, Path(folder), account)),
        stderr=asyncio.subprocess.PIPE,
        user=account,
    )
    assert process.stderr is not None
    said = b""
    while b"process up" not in said:
        said = await process.stderr.readline()
        assert said, "PgBouncer did not start"
    try:
        yield
    finally:
        process.kill()
        await process.communicate()


@asynccontextmanager
async def a_town(database: str, pooler: str) -> AsyncIterator[tuple[Running, Running]]:
    """A worker on the database itself, and a web role that knows nothing but the pooler."""
    async with (
        Emulator(rate_limits=False, delivery="http", ack_seconds=PATIENCE) as slack,
        running_house(database, socket=False, slack=slack, SIGNOFF_API_TOKENS=f"test:{TOKEN}") as worker,
        opened(worker.house.settings, pooler, pooled=True, patience=UNHURRIED) as web,
        served(http_app(web)) as url,
    ):
        let_bolt_wait(web)
        slack.delivery.request_url = f"{url}/slack/events"
        yield worker, Running(web, slack, pooler)


async def test_a_round_trip_whose_clicks_go_through_the_pooler(database, pooler):
    async with a_town(database, pooler) as (worker, web):
        async with api_client(web) as client:
            given = {"workflow": "expense", "input": samples["hotel"], "requester": ROSA}
            thread_id = (await client.post("/v1/threads", json=given)).json()["thread_id"]
            await worker.drain()
            (waiting,) = (await client.get("/v1/approvals?status=pending")).json()["items"]
            assert waiting["thread_id"] == thread_id

        refused = await web.click(ROSA, FINANCE, "signoff.approve")
        assert refused.acked
        assert (await worker.thread(thread_id)).status == "waiting"
        assert (await web.click(MAYA, FINANCE, "signoff.approve")).acked
        await worker.drain()

        assert (await worker.thread(thread_id)).status == "done"
        assert "approved" in worker.card(FINANCE)["text"].lower()


async def test_many_clicks_at_once_share_few_connections(database, pooler):
    async with a_town(database, pooler) as (worker, web):
        offer(worker)
        threads = [await asked(worker, f"Pay {n}") for n in range(8)]
        cards = worker.cards(FINANCE)

        async def clicked(user: str, card: dict[str, Any]) -> None:
            """Click until it is taken: on a busy machine somebody is told to try again."""
            while not (await web.slack.click(user, card, "signoff.approve")).acked:
                pass

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as people:
            for card in cards:
                for user in (MAYA, FINN):
                    people.create_task(clicked(user, card))
        await worker.drain()

        assert {(await worker.thread(thread)).status for thread in threads} == {"done"}


async def test_the_clock_ticks_through_the_pooler(database, pooler):
    async with a_town(database, pooler) as (worker, web):
        offer(worker, sla=Sla(respond_within=timedelta(hours=1)))
        thread_id = await asked(worker)
        await worker.pass_time(timedelta(hours=2))
        await worker.slack_was_reachable()

        clock = Clock(web.house)
        for sweep in (clock.tick, clock.probe, clock.upkeep):
            await sweep()
        await worker.drain()

        assert (await worker.approval(thread_id)).status == "expired"


async def test_a_person_is_not_kept_waiting_for_a_lock_and_no_limit_is_left_behind(database, pooler):
    async with (
        listeners_pool(pooler, pooled=True) as pool,
        await psycopg.AsyncConnection.connect(database) as holder,
        pool.connection() as waiter,
    ):
        await holder.execute("update slack_workspace set url = 'x'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            async with waiter.transaction():
                await waiter.execute("update slack_workspace set url = 'y'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            async with waiter.transaction(), waiter.transaction():
                await waiter.execute("select pg_sleep(30)")
        await begin(waiter)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await waiter.execute("select pg_sleep(30)")
        await waiter.rollback()
        async with waiter.transaction():
            await waiter.execute("select 1")
        await begin(waiter)
        await waiter.commit()

        for _ in range(6):
            row = await (
                await waiter.execute("select current_setting('statement_timeout') as set")
            ).fetchone()
            assert row == {"set": "0"}


async def test_statements_that_recur_are_not_prepared_on_a_connection_that_is_lent(pooler):
    async with queue_pool(pooler, pooled=True) as pool, pool.connection() as one, pool.connection() as other:
        for connection in (one, other) * 12:
            await connection.execute("select %s::int as same", [1])
        assert await is_pooled(pooler)


async def test_short_commands_go_through_the_pooler_and_migrations_are_refused_there(
    signoff,  # noqa: F811
    pooler,
    monkeypatch,
):
    direct = os.environ["DATABASE_URL"]
    monkeypatch.setenv("DATABASE_URL", pooler)
    started = await signoff("start", "expense", "--input", HOTEL)
    assert started.code == 0, started.err
    assert started.out.strip() in (await signoff("threads")).out
    assert (await signoff("audit", "verify")).code == 0

    refused = await signoff("migrate")
    assert refused.code == 1
    assert "SIGNOFF_DIRECT_DATABASE_URL" in refused.err
    monkeypatch.setenv("SIGNOFF_DIRECT_DATABASE_URL", direct)
    assert (await signoff("migrate")).code == 0


async def test_a_process_behind_the_pooler_draws_for_workers_where_it_knows_the_way_past_it(database, pooler):
    assert await reached(Database(database, database)) == Reached(database, direct=database)
    past = await reached(Database(pooler, database), draws=True)
    assert past == Reached(pooler, pooled=True, direct=database)
    assert await reached(Database(pooler, database)) == Reached(pooler, pooled=True)
    assert await reached(Database(pooler, pooler), draws=True) == Reached(pooler, pooled=True)

    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    assert await reached(Database(pooler, nowhere), draws=True) == Reached(pooler, pooled=True)


async def test_a_worker_is_refused_behind_the_pooler_in_one_line(pooler):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "worker"),
        env=os.environ | {"DATABASE_URL": pooler, "SLACK_BOT_TOKEN": "xoxb-1"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()

    assert process.returncode == 1
    assert len(said.splitlines()) == 1
    assert b"SIGNOFF_DIRECT_DATABASE_URL" in said
