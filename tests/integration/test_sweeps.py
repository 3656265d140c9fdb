"""The clock's sweeps find what fell behind, wherever they run, and add little when run again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from fixtures_house import FINANCE, ROSA, Running
from psycopg import OperationalError

from bot.clock import Clock
from bot.facts import homes, sweeps, voters
from bot.facts.claims import HOMES, PACED, UPDATES
from bot.facts.deadlines import DUE, Reach
from bot.postgres import inbox
from bot.postgres.fact import NewMessage, fact
from workflows import expense

GRACE = timedelta(minutes=10)

PENDING = """
insert into threads (thread_id, workflow, input, starter, status, wanted, reached)
select 't' || n, 'expense', '{}', 'cli:test', 'waiting', 1, 1 from generate_series(1, %(threads)s) n
"""

CARDS = """
insert into messages (message_id, kind, approval_id, thread_id, target, drawn, channel_id, ts)
select 'card:' || approval_id, 'card', approval_id, thread_id, channel, 1, 'C01FINANCE', approval_id
from approvals
"""

APPROVALS = """
insert into approvals (approval_id, thread_id, interrupt_id, dialect, request, payload_hash, policy, sla,
                       channel, next_at, due_at, delivered_at, delivery)
select 'a' || n, 't' || least(n, %(threads)s), 'i' || n, 'signoff', '{"signoff": 1, "title": "Pay"}', 'h',
       '{"approvers": []}', '{"respond_within": "PT1H"}', '#x',
       signoff_now() + n * interval '1 minute' + %(in)s,
       signoff_now() + n * interval '1 minute' + %(in)s, signoff_now() - interval '1 day', 'delivered'
from generate_series(1, %(n)s) n
"""


async def jobs(house: Running, status: str = "todo") -> int:
    (row,) = await house.rows("select count(*) from procrastinate_jobs where status = %s", status)
    return int(row["count"])


async def forget_jobs(house: Running) -> None:
    await house.execute("delete from procrastinate_jobs")


async def fill(house: Running, n: int, due_in: timedelta, threads: int) -> None:
    """Make pending approvals, each due a minute after the one before."""
    async with house.house.work.connection() as conn:
        await conn.execute(PENDING, {"threads": threads})
        await conn.execute(APPROVALS, {"n": n, "in": due_in, "threads": threads})
        if threads == n:
            await conn.execute(CARDS)
        await conn.execute("analyze approvals")


def index_scans(plan: dict[str, Any]) -> set[str]:
    names = {plan["Index Name"]} if "Index Name" in plan else set()
    return names.union(*(index_scans(child) for child in plan.get("Plans", [])))


async def test_the_due_index_finds_what_is_due_among_twenty_thousand(house: Running) -> None:
    await fill(house, 20_000, timedelta(hours=1), threads=1)

    (row,) = await house.rows(
        "explain (analyze, buffers, format json) " + DUE.replace("%(most)s", "1").strip()
    )
    plan = row["QUERY PLAN"][0]["Plan"]

    assert "approvals_due" in index_scans(plan)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 50


async def test_many_that_are_due_at_once_are_taken_in_portions_each_once(house: Running) -> None:
    await fill(house, 250, -timedelta(days=1), threads=250)
    reach = Reach(await house.now() - timedelta(days=9), GRACE)

    async def sweep() -> int:
        async with house.house.work.connection() as conn:
            return await sweeps.deadlines(conn, house.house.queue, reach)

    done = await asyncio.gather(sweep(), sweep())
    done.append(await sweep())

    assert sum(done) == 250
    (row,) = await house.rows("select count(*) from approvals where status = 'expired'")
    assert row["count"] == 250
    (row,) = await house.rows("select count(*) from audit where body like '%%approval.expired%%'")
    assert row["count"] == 250


async def test_a_thread_whose_job_was_lost_goes_on(house: Running) -> None:
    thread = await house.start("expense", expense.samples["hotel"], ROSA)
    await forget_jobs(house)
    await house.drain()
    assert house.cards(FINANCE) == []

    await house.pass_time(timedelta(seconds=6))
    await Clock(house.house).tick()
    await house.drain()

    assert (await house.thread(thread)).status == "waiting"
    assert len(house.cards(FINANCE)) == 1


async def test_a_message_whose_job_was_lost_is_drawn(house: Running) -> None:
    await house.start("expense", expense.samples["hotel"], ROSA)
    (row,) = await house.rows("select thread_id from threads")
    await house.house.engine.advance(row["thread_id"])
    await forget_jobs(house)
    await house.pass_time(timedelta(seconds=6))
    await Clock(house.house).tick()
    await house.drain()

    assert len(house.cards(FINANCE)) == 1


async def test_of_clocks_that_sweep_at_once_one_wakes_a_message(house: Running) -> None:
    await house.start("expense", expense.samples["hotel"], ROSA)
    await house.drain()
    await forget_jobs(house)
    async with house.house.work.connection() as late, house.house.work.connection() as other:
        await other.execute(_STANDS_STILL)
        for _ in range(4):  # its plan is made by then
            assert await sweeps.messages_behind(late, house.house.queue) == 0
        await other.execute("update messages set wanted = wanted + 1, woken_at = '-infinity'")
        await other.execute("select pg_advisory_lock(1)")
        await late.execute("set test.stands_still = 'on'")

        sweeping = asyncio.create_task(sweeps.messages_behind(late, house.house.queue))
        while not await (await other.execute(_STANDS, {"pid": late.info.backend_pid})).fetchall():
            pass
        before = await sweeps.messages_behind(other, house.house.queue)
        await other.execute("select pg_advisory_unlock(1)")

        assert (before, await sweeping) == (1, 0)
        await late.execute("reset test.stands_still")
    assert await jobs(house) == 1


# A sweep that has begun, and has seen what is behind, before another has ended.
_STANDS_STILL = """
create or replace function signoff_now() returns timestamptz language plpgsql stable as $$
begin
    if current_setting('test.stands_still', true) = 'on' then
        perform pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
    end if;
    return clock_timestamp() + (select ahead from signoff_time);
end $$
"""

_STANDS = "select 1 from pg_locks where pid = %(pid)s and locktype = 'advisory' and not granted"


async def test_sweeping_again_and_again_adds_nothing_while_the_jobs_wait(house: Running) -> None:
    await house.start("expense", expense.samples["hotel"], ROSA)
    (row,) = await house.rows("select thread_id from threads")
    await house.house.engine.converge(row["thread_id"], house.house.queue)
    await forget_jobs(house)
    await house.execute("update threads set wanted = wanted + 1")
    await house.pass_time(timedelta(seconds=6))

    await asyncio.gather(*(Clock(house.house).tick() for _ in range(5)))
    for _ in range(20):
        await Clock(house.house).tick()

    assert await jobs(house) == 2


async def test_what_waits_long_for_a_worker_gets_no_second_job(house: Running) -> None:
    await house.start("expense", expense.samples["hotel"], ROSA)
    async with house.house.work.connection() as conn, fact(conn, house.house.queue) as recorded:
        recorded.post(NewMessage("ops:1", "ops", target="", body={"problem": "Problem"}))

    for _ in range(5):
        await house.pass_time(timedelta(seconds=6))
        await Clock(house.house).tick()

    assert await jobs(house) == 2


async def test_an_idle_house_sweeps_without_a_trace(house: Running) -> None:
    await house.run("expense", expense.samples["hotel"], ROSA)
    await house.slack_was_reachable()
    for _ in range(20):
        await Clock(house.house).tick()

    assert await jobs(house) == 0


async def test_a_full_queue_is_not_filled_further(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "ENOUGH", 10)
    async with house.house.work.connection() as conn:
        async with fact(conn, house.house.queue) as recorded:
            for n in range(30):
                recorded.post(NewMessage(f"ops:{n}", "ops", target="", body={"problem": f"Problem {n}"}))
        await forget_jobs(house)
        for _ in range(10):
            await house.pass_time(timedelta(seconds=6))
            await sweeps.messages_behind(conn, house.house.queue)

    assert await jobs(house) == 10


async def test_a_backing_off_message_is_left_alone_until_its_time(house: Running) -> None:
    house.slack.fault("chat.postMessage", "server_error")
    await house.run("expense", expense.samples["hotel"], ROSA)
    await Clock(house.house).tick()
    assert await jobs(house) == 0

    await house.pass_time(timedelta(seconds=3))
    await Clock(house.house).tick()
    assert await jobs(house) == 1


async def test_jobs_of_a_dead_worker_are_dropped_and_their_work_is_done(house: Running) -> None:
    thread = await house.start("expense", expense.samples["hotel"], ROSA)
    await house.execute(
        "with dead as (insert into procrastinate_workers (last_heartbeat) "
        "values (now() - interval '1 hour') returning id) "
        "update procrastinate_jobs set status = 'doing', worker_id = dead.id from dead"
    )
    await house.drain()
    assert (await house.thread(thread)).status == "running"

    await asyncio.gather(*(Clock(house.house).upkeep() for _ in range(3)))
    await house.pass_time(timedelta(seconds=6))
    await Clock(house.house).tick()
    await house.drain()

    assert await jobs(house, "doing") == 0
    assert (await house.thread(thread)).status == "waiting"


async def test_a_worker_that_died_while_drawing_loses_only_its_lease(house: Running) -> None:
    await house.start("expense", expense.samples["hotel"], ROSA)
    (row,) = await house.rows("select thread_id from threads")
    await house.house.engine.advance(row["thread_id"])
    await forget_jobs(house)
    await house.execute(
        "update messages set lease = 'dead', lease_until = signoff_now() + interval '60 seconds'"
    )
    await house.pass_time(timedelta(seconds=30))
    await Clock(house.house).tick()
    assert await jobs(house) == 0

    await house.pass_time(timedelta(seconds=31))
    await Clock(house.house).tick()
    await house.drain()
    assert len(house.cards(FINANCE)) == 1


async def test_old_failures_of_the_queue_are_cleared_away(house: Running) -> None:
    await house.start("expense", expense.samples["hotel"], ROSA)
    await house.execute("update procrastinate_jobs set status = 'failed'")
    await house.execute("update procrastinate_events set at = now() - interval '30 days'")
    await Clock(house.house).upkeep()

    assert await jobs(house, "failed") == 0


async def test_what_changed_behind_an_open_home_is_found_by_indexes(house: Running) -> None:
    await fill(house, 4_000, timedelta(hours=1), threads=4_000)
    await house.execute("update messages set woken_at = signoff_now() - interval '1 hour'")
    async with house.house.work.connection() as conn:
        await homes.opened(conn, house.house.queue, "U01MAYA")
        await conn.execute("analyze messages")
        given = {"kept": homes.KEPT, "lag": homes.LAG, "spacing": homes.SPACING, "most": homes.MOST}
        found = await conn.execute("explain (analyze, format json) " + homes._BEHIND, given)
        row = await found.fetchone()

    assert row is not None
    assert {"messages_homes", "messages_changed"} <= index_scans(row["QUERY PLAN"][0]["Plan"])
    assert scanned(row["QUERY PLAN"][0]["Plan"], "messages") < 10


async def test_whoever_voted_on_what_waits_is_found_among_twenty_thousand_that_wait_for_one(
    house: Running,
) -> None:
    await fill(house, 20_000, timedelta(hours=1), threads=1)
    await house.execute("""update approvals set policy = '{"approvals": 2}' where approval_id = 'a7'""")
    await house.execute(
        "update approvals set status = 'decided' where right(approval_id, 1) in ('0', '2', '4', '6', '8')"
    )
    await house.execute(VOTED)
    async with house.house.work.connection() as conn:
        await conn.execute("vacuum analyze approvals, votes")
        found = await voters.not_looked_up(conn)
        given = {"every": voters.LOOKED_UP_EVERY, "most": voters.MOST}
        explained = await conn.execute("explain (analyze, format json) " + voters._NOT_LOOKED_UP, given)
        row = await explained.fetchone()

    assert found == [voters.Voter("U01MAYA", ("a7",))]
    assert row is not None
    plan = row["QUERY PLAN"][0]["Plan"]
    assert scanned(plan, "approvals") + scanned(plan, "votes") < 10


async def test_what_was_settled_lately_is_found_among_twenty_thousand_that_were_settled(
    house: Running,
) -> None:
    await fill(house, 20_000, timedelta(hours=1), threads=1)
    await house.execute(SETTLED)
    async with house.house.work.connection() as conn:
        await conn.execute("vacuum analyze approvals")
        about = {"user": "U01MAYA", "most": inbox.MOST}
        explained = await conn.execute("explain (analyze, format json) " + inbox._RECENT, about)
        row = await explained.fetchone()

    assert row is not None
    assert scanned(row["QUERY PLAN"][0]["Plan"], "approvals") < 200


async def test_what_is_behind_is_found_without_reading_what_long_since_is_not(house: Running) -> None:
    await fill(house, 1, timedelta(hours=1), threads=3_000)
    await house.execute("update threads set updated_at = signoff_now() - interval '1 minute'")
    await house.execute("update threads set wanted = 2 where thread_id = 't7'")
    await house.execute(DRAWN)
    rows: dict[str, dict[str, Any]] = {}
    async with house.house.work.connection() as conn:
        await conn.execute("vacuum analyze threads, messages")
        for table, sweep in (("threads", sweeps._THREADS_BEHIND), ("messages", sweeps._MESSAGES_BEHIND)):
            found = await conn.execute("explain (analyze, format json) " + sweep, LOOKED_FOR)
            rows[table] = (await found.fetchall())[0]["QUERY PLAN"][0]["Plan"]

    assert {table: plan["Actual Rows"] for table, plan in rows.items()} == {"threads": 1, "messages": 1}
    assert {table: scanned(plan, table) < 10 for table, plan in rows.items()} == {
        "threads": True, "messages": True,
    }  # fmt: skip


async def test_cards_that_wait_are_looked_after_without_reading_those_that_were_settled(
    house: Running,
) -> None:
    await fill(house, 3_000, timedelta(hours=1), threads=3_000)
    await house.execute("update approvals set status = 'decided' where right(approval_id, 1) <> '7'")
    await house.execute("update messages set created_at = signoff_now() - interval '1 day'")
    await house.execute("update messages set verified_at = signoff_now() where message_id like '%%7'")
    await house.execute("update messages set verified_at = created_at where message_id = 'card:a27'")
    async with house.house.work.connection() as conn:
        await conn.execute("vacuum analyze approvals, messages")
        found = await conn.execute("explain (analyze, format json) " + sweeps._VERIFY, LOOKED_AFTER)
        plan = (await found.fetchall())[0]["QUERY PLAN"][0]["Plan"]

    assert plan["Actual Rows"] == 1
    assert scanned(plan, "messages") < 400


LOOKED_AFTER = {"most": 10, "among": sweeps.AMONG}

DRAWN = """
insert into messages (message_id, kind, target, wanted, drawn, woken_at)
select 'm' || n, 'note', 'C1', 2, case n when 7 then 1 else 2 end, signoff_now() - interval '1 minute'
from generate_series(1, 3000) n
"""

LOOKED_FOR = {
    "most": sweeps.MOST,
    "most_silent": sweeps.MOST_SILENT,
    "queue": "threads",
    "enough": sweeps.ENOUGH,
    "updates": UPDATES,
    "homes": HOMES,
    "paced": PACED,
}


SETTLED = """
update approvals
set status = 'decided', decided_at = signoff_now() - interval '1 hour' * substr(approval_id, 2)::int
"""

VOTED = """
insert into votes select approval_id, 'U01MAYA', 1, '{}' from approvals
where status = 'decided' or approval_id = 'a7'
"""


def scanned(plan: dict[str, Any], table: str) -> float:
    """Rows of a table that were read, taken or thrown away."""
    here = plan.get("Relation Name") == table
    rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if here else 0
    return rows * plan["Actual Loops"] + sum(scanned(child, table) for child in plan.get("Plans", []))


async def test_a_connection_that_is_lost_as_a_sweep_wakes_workers_is_no_fault_of_ours(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.start("expense", expense.samples["hotel"], ROSA)
    await forget_jobs(house)
    await house.pass_time(timedelta(seconds=6))
    queue = house.house.queue
    enqueue = queue.enqueue

    async def cut_off(conn: Any, jobs: Any) -> None:
        await house.rows("select pg_terminate_backend(%s, 5000)", conn.info.backend_pid)
        await enqueue(conn, jobs)

    with monkeypatch.context() as patch:
        patch.setattr(queue, "enqueue", cut_off)
        with pytest.raises(OperationalError):
            await Clock(house.house).tick()

    await Clock(house.house).tick()
    assert await jobs(house) == 1
