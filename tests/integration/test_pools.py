from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import PoolTimeout

from bot.postgres import pools
from bot.postgres.fact import _WANT
from bot.postgres.pools import begin, listeners_pool, queue_pool, runs_pool


async def test_connections_commit_by_themselves_and_give_dicts(database):
    async with queue_pool(database) as pool, pool.connection() as connection:
        row = await (await connection.execute("select 1 as one")).fetchone()

        assert connection.autocommit
        assert row == {"one": 1}


@pytest.mark.parametrize(
    ("pool_of", "more"),
    [(queue_pool, {}), (listeners_pool, {}), (runs_pool, {"max_size": 1}), (queue_pool, {"pooled": True})],
)
async def test_what_a_role_has_by_default_changes_neither_what_a_transaction_sees_nor_how_long_a_run_lasts(
    database, pool_of, more
):
    strict = make_conninfo(
        database, options="-c default_transaction_isolation=serializable -c idle_session_timeout=9s"
    )
    async with pool_of(strict, **more) as pool, pool.connection() as connection:
        assert more.get("pooled") or await shown(connection, "idle_session_timeout") == "0"
        async with connection.transaction():
            assert await shown(connection, "transaction_isolation") == "read committed"
        await begin(connection)
        assert await shown(connection, "transaction_isolation") == "read committed"
        await connection.rollback()


async def test_what_is_planned_while_a_table_is_empty_goes_by_its_index_all_the_same(database):
    async with queue_pool(database) as pool, pool.connection() as connection:
        await connection.execute("prepare want as " + _WANT.replace("%(threads)s", "$1"))
        plan = await (await connection.execute("explain execute want ('{one}')")).fetchall()

    assert "threads_pkey" in str(plan)
    assert "Seq Scan" not in str(plan)


@pytest.mark.parametrize("pooled", [False, True])
async def test_times_are_read_in_whatever_style_a_role_has_them_written(database, pooled):
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as owner:
        await owner.execute(f"alter database {owner.info.dbname} set DateStyle = German")
        await owner.execute(f"alter database {owner.info.dbname} set IntervalStyle = sql_standard")
    async with queue_pool(database, pooled=pooled) as pool, pool.connection() as connection:
        row = await (await connection.execute("select timestamptz '2026-11-20 09:00Z' as at")).fetchone()
        style = await shown(connection, "IntervalStyle")

    assert row == {"at": datetime(2026, 11, 20, 9, tzinfo=UTC)}
    assert pooled or style == "postgres"


async def shown(connection, setting):
    row = await (await connection.execute(f"show {setting}")).fetchone()
    return next(iter(row.values()))


async def test_a_pool_whose_server_dropped_its_connections_works_at_once(database):
    async with listeners_pool(database, max_size=4) as pool:
        await pool.wait()
        await asyncio.gather(*(one_query(pool) for _ in range(4)))
        with psycopg.connect(database, autocommit=True) as other:
            other.execute(
                "select pg_terminate_backend(pid, 9000) from pg_stat_activity"
                " where application_name like 'signoff %' and datname = current_database()"
            )

        assert await one_query(pool) == {"one": 1}


async def test_whoever_waits_gets_a_connection_soon_after_an_outage_longer_than_psycopgs_patience(
    database, tmp_path, monkeypatch
):
    given_up = asyncio.Semaphore(0)
    begin_anew = pools._for_those_who_wait

    async def counted(pool):
        given_up.release()
        await begin_anew(pool)

    monkeypatch.setattr(pools, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(pools, "_for_those_who_wait", counted)
    server = conninfo_to_dict(database)
    port = server.get("port", 5432)
    away = make_conninfo(database, host=str(tmp_path))
    async with queue_pool(away) as pool, asyncio.timeout(60):
        waiting = asyncio.create_task(one_query(pool))
        for _ in range(4):
            await given_up.acquire()
        (tmp_path / f".s.PGSQL.{port}").symlink_to(f"{server['host']}/.s.PGSQL.{port}")

        assert await waiting == {"one": 1}


async def test_whoever_is_cancelled_as_they_return_a_connection_does_not_take_it_along(database):
    async with queue_pool(database, max_size=1) as pool:

        async def cut_off():
            async with pool.connection():
                await pool._lock.acquire()  # as somebody else does, who is just given theirs

        returning = asyncio.create_task(cut_off())
        while not (pool._lock.locked() and pool._lock._waiters):  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0)
        returning.cancel()
        await asyncio.wait({returning})
        pool._lock.release()

        async with pool.connection(timeout=2):
            pass


async def test_a_column_that_a_newer_signoff_adds_costs_old_code_one_attempt_and_no_more(database):
    people = "select * from people"  # prepared when it comes twice, with the columns of that time
    async with listeners_pool(database, max_size=2) as pool:
        async with pool.connection() as one, pool.connection() as other:
            for connection in (one, one, other, other):
                await connection.execute(people)
        with psycopg.connect(database, autocommit=True) as newer:
            newer.execute("alter table people add column more text")
        with pytest.raises(psycopg.OperationalError, match="migrated"):
            async with pool.connection() as connection:
                await connection.execute(people)

        async with pool.connection() as one, pool.connection() as other:
            for connection in (one, other):
                await connection.execute(people)


async def test_a_person_is_not_kept_waiting_for_a_connection(database):
    async with (
        listeners_pool(database, max_size=2) as pool,
        pool.connection(),
        pool.connection(),
    ):
        with pytest.raises(PoolTimeout):
            await one_query(pool)


async def test_a_person_is_not_kept_waiting_for_a_lock_or_a_slow_query(database):
    async with (
        listeners_pool(database) as pool,
        runs_pool(database, max_size=1) as runs,
        runs.connection() as holder,
        pool.connection() as waiter,
    ):
        await holder.execute("select pg_advisory_lock(1)")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await waiter.execute("select pg_advisory_lock(1)")
        with pytest.raises(psycopg.errors.QueryCanceled):
            await waiter.execute("select pg_sleep(30)")


async def test_through_a_transaction_pooler_nothing_is_set_on_the_connection(database):
    async with listeners_pool(database, pooled=True) as pool, pool.connection() as connection:
        row = await (await connection.execute("show statement_timeout")).fetchone()

        assert connection.prepare_threshold is None
        assert row == {"statement_timeout": "0"}


async def one_query(pool):
    async with pool.connection() as connection:
        return await (await connection.execute("select 1 as one")).fetchone()
