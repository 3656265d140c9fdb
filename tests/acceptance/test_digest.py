"""Ops read one digest a slot: nothing in it twice, nothing left out, each line with its link and its mend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from asking import asked, begin, offer, retried, tick, told_ops, wait_out
from fixtures_house import FINANCE, MAYA, OPS, Running, running_house

from bot.approvals import Fallback, Policy, Sla
from bot.clock import Clock
from bot.facts import digests
from bot.facts.digests import slot
from bot.facts.threads import cancel, redraw
from bot.postgres.fact import fact

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
NINE, FIVE = time(9), time(17)


@pytest.fixture
async def ops(database: str) -> AsyncIterator[Running]:
    """A house in Berlin with digests at 9 and 17, on Monday, 2 November 2026, at 10:00; the first is made."""
    async with running_house(
        database, SIGNOFF_DIGEST_TIMES="09:00,17:00", SIGNOFF_TIMEZONE="Europe/Berlin"
    ) as house:
        await house.travel(datetime(2026, 11, 2, 10, tzinfo=BERLIN))
        await Clock(house.house).digest()
        yield house


async def at(house: Running, when: datetime) -> list[str]:
    """Let it be then, with a clock ticking; returns the digests that are new."""
    before = len(digests_of(house))
    await house.travel(when)
    await Clock(house.house).tick()
    await house.drain()
    return digests_of(house)[before:]


def digests_of(house: Running) -> list[str]:
    return [str(m["blocks"]) for m in house.slack.messages(OPS) if "digest" in m["text"]]


def monday(hour: int, minute: int = 1) -> datetime:
    return datetime(2026, 11, 2, hour, minute, tzinfo=BERLIN)


def test_a_slot_is_the_latest_time_of_day_that_has_come() -> None:
    def key(now: datetime) -> str:
        return slot(now, (NINE, FIVE), BERLIN)[0]

    assert key(datetime(2026, 11, 2, 9, 0, tzinfo=BERLIN)) == "2026-11-02 09:00 Europe/Berlin"
    assert key(datetime(2026, 11, 2, 16, 59, tzinfo=BERLIN)) == "2026-11-02 09:00 Europe/Berlin"
    assert key(datetime(2026, 11, 2, 17, 0, tzinfo=BERLIN)) == "2026-11-02 17:00 Europe/Berlin"
    assert key(datetime(2026, 11, 2, 8, 59, tzinfo=BERLIN)) == "2026-11-01 17:00 Europe/Berlin"


def test_a_time_that_daylight_saving_skips_or_repeats_is_one_slot() -> None:
    times = (time(2, 30),)
    spring = [datetime(2027, 3, 27, 23, tzinfo=UTC) + n * timedelta(minutes=10) for n in range(18)]
    autumn = [datetime(2026, 10, 24, 22, tzinfo=UTC) + n * timedelta(minutes=10) for n in range(24)]

    assert len({slot(now, times, BERLIN) for now in spring}) == 2
    assert len({slot(now, times, BERLIN) for now in autumn}) == 2
    assert [slot(now, times, BERLIN) for now in autumn] == sorted(slot(now, times, BERLIN) for now in autumn)


async def test_a_new_installation_does_not_greet_ops(ops: Running) -> None:
    assert digests_of(ops) == []


async def test_a_quiet_digest_says_that_nothing_happened_once_a_slot(ops: Running) -> None:
    assert await at(ops, monday(16, 59)) == []
    (quiet,) = await at(ops, monday(17))
    assert "Nothing expired" in quiet
    assert await at(ops, monday(17, 30)) == []
    assert await at(ops, monday(23)) == []


async def test_another_time_zone_skips_no_digest_and_makes_none_at_once(ops: Running) -> None:
    ops.house.settings.timezone = "Pacific/Kiritimati"
    assert await at(ops, monday(10, 30)) == []  # there it is 23:30, and no digest was made at 17:00
    assert len(await at(ops, monday(20))) == 1  # at 9:00 on Tuesday

    ops.house.settings.timezone = "America/New_York"
    assert await at(ops, monday(21)) == []
    assert len(await at(ops, monday(23))) == 1  # at 17:00 on Monday
    assert len(await at(ops, monday(15) + timedelta(days=1))) == 1  # at 9:00 on Tuesday, again


async def test_several_clocks_at_once_make_one_digest(ops: Running) -> None:
    await ops.travel(monday(17))
    await asyncio.gather(*(Clock(ops.house).tick() for _ in range(4)))
    await ops.drain()

    assert len(digests_of(ops)) == 1


@pytest.mark.parametrize(
    ("fallback", "said"),
    [
        (Fallback.reject(), "nobody answered: stays unanswered"),
        (Fallback.approve(), "nobody answered: ran unapproved"),
        (Fallback.choose("a"), "nobody answered: chose a"),
        (
            Fallback.choose("gone"),
            "nobody answered: not run, since the declared fallback is not an answer",
        ),
        (Fallback.as_drafted(), "nobody answered: went out as drafted (forced)"),
        (Fallback.cancel(), "nobody answered: ended the workflow"),
    ],
)
async def test_what_expired_is_told_once_with_its_fallback_its_link_and_its_command(
    ops: Running, fallback: Fallback, said: str
) -> None:
    offer(ops, sla=Sla(respond_within=HOUR, fallback=fallback))
    thread = await asked(ops, "Pay Acme", options=[{"id": "a", "label": "A"}, {"id": "b", "label": "B"}])
    await wait_out(ops, 2 * HOUR)

    (digest,) = await at(ops, monday(17))
    (nothing_new,) = await at(ops, monday(9) + timedelta(days=1))

    assert said in digest
    assert "Pay Acme" in digest
    assert f"p{ops.card(FINANCE)['ts'].replace('.', '')}" in digest
    assert f"signoff show {thread}" in digest
    assert "Pay Acme" not in nothing_new


async def test_what_was_to_be_approved_is_told_as_rejected_where_nobody_did(ops: Running) -> None:
    offer(ops, sla=Sla(respond_within=HOUR))
    await asked(ops, "Pay Acme")
    await wait_out(ops, 2 * HOUR)

    (digest,) = await at(ops, monday(17))

    assert "nobody answered: rejected" in digest


async def test_what_was_never_delivered_is_told_as_that_also_once_its_channel_is_mended(ops: Running) -> None:
    offer(ops, channel="#old", sla=Sla(respond_within=HOUR))
    thread = await asked(ops, "Pay Acme")
    await wait_out(ops, 2 * HOUR)
    missed = await ops.approval(thread)
    old = ops.slack.state.conversations["C07OLD"].channel
    ops.slack.state.set_channel(replace(old, is_archived=False))
    async with ops.house.work.connection() as conn:
        await redraw(conn, ops.house.queue, missed.approval_id, "cli:ops")
    await ops.drain()

    (digest,) = await at(ops, monday(17))

    shown = await ops.approval(thread)
    assert shown.delivered_at is not None
    assert shown.due_at == missed.due_at
    assert "never delivered: " in digest


async def test_what_is_due_in_the_next_hours_is_told_while_it_is(ops: Running) -> None:
    offer(ops, sla=Sla(respond_within=12 * HOUR))
    offer(ops, "later", sla=Sla(respond_within=timedelta(days=3)))
    await asked(ops, "Pay soon")
    await asked(ops, "Pay later", workflow="later")

    (digest,) = await at(ops, monday(17))

    assert "Due soon" in digest
    assert "Pay soon" in digest
    assert "Pay later" not in digest


async def test_what_is_held_after_its_deadline_is_told_as_overdue(ops: Running) -> None:
    offer(ops, sla=Sla(respond_within=HOUR))
    await asked(ops, "Pay Acme")

    await ops.pass_time(7 * HOUR + timedelta(minutes=1))  # with nobody to see whether Slack could be reached
    await Clock(ops.house).tick()
    await ops.drain()

    (held,) = digests_of(ops)
    assert "Pay Acme" in held
    assert "overdue, and held until people could have answered" in held


async def test_what_expires_while_the_digest_is_made_is_not_told_as_held(ops: Running) -> None:
    offer(ops, sla=Sla(respond_within=7 * HOUR))
    await asked(ops, "Pay Acme")

    await ops.travel(monday(17, 10))
    await Clock(ops.house).digest()
    await ops.drain()

    (digest,) = digests_of(ops)
    assert "Pay Acme" in digest
    assert "held" not in digest


async def test_what_is_broken_is_told_with_the_command_that_mends_it(ops: Running) -> None:
    offer(ops, "archived", channel="#old")
    undeliverable = await asked(ops, "Pay the archived", workflow="archived")
    stuck, orphaned, held = [await begin(ops, f"Pay {n}") for n in range(3)]
    await ops.execute("delete from procrastinate_jobs")
    for thread, status in ((stuck, "failed"), (orphaned, "orphaned")):
        await ops.execute(
            "update threads set status = %s, reached = wanted, error = 'it broke', ended_at = signoff_now() "
            "where thread_id = %s",
            status,
            thread,
        )
    await ops.execute(
        "update threads set retry_at = signoff_now() + interval '1 day', reached = wanted "
        "where thread_id = %s",
        held,
    )

    (digest,) = await at(ops, monday(17))
    (tomorrow,) = await at(ops, monday(9) + timedelta(days=1))

    approval = (await ops.approval(undeliverable)).approval_id
    for heading in ("Could not be delivered", "Orphaned", "Stuck", "Held"):
        assert heading in digest
    assert f"signoff redraw {approval}" in digest
    assert "#old: is_archived" in digest
    assert f"signoff retry {stuck}" in digest
    assert f"signoff show {orphaned}" in digest
    assert f"signoff show {held}" in digest
    assert "Stuck" not in tomorrow
    assert "Could not be delivered" not in tomorrow
    assert "Held" in tomorrow


async def test_a_card_that_could_not_be_delivered_is_one_line_with_what_failed_below_it(ops: Running) -> None:
    offer(ops, channel="#old")
    thread = await asked(ops)
    async with ops.house.work.connection() as conn:
        await cancel(conn, ops.house.queue, thread, "not needed any more", "cli:ops")
    await ops.drain()
    await tick(ops, timedelta(seconds=61), 2)
    failed = await ops.rows("select kind from messages where error is not null order by kind")
    assert [row["kind"] for row in failed] == ["card", "note"]

    (digest,) = await at(ops, monday(17))

    assert "*Could not be delivered* (1)" in digest


async def test_what_fails_to_be_delivered_again_is_told_again(ops: Running) -> None:
    offer(ops, channel="#old")
    thread = await asked(ops)
    (first,) = await at(ops, monday(17))
    async with ops.house.work.connection() as conn:
        await redraw(conn, ops.house.queue, (await ops.approval(thread)).approval_id, "cli:ops")
    await ops.drain()

    (second,) = await at(ops, monday(9) + timedelta(days=1))

    assert "Could not be delivered" in first
    assert "Could not be delivered" in second


async def test_an_approval_that_expires_while_the_digest_is_made_is_in_one_of_two_digests(
    ops: Running,
) -> None:
    offer(ops, sla=Sla(respond_within=HOUR))
    first = await asked(ops, "Pay the first")
    second = await asked(ops, "Pay the second")
    await wait_out(ops, 2 * HOUR)
    await ops.execute("update approvals set status = 'pending' where thread_id = %s", second)
    async with ops.house.work.connection() as conn, ops.house.work.connection() as other:
        async with fact(conn, ops.house.queue) as expiring:
            await expiring.conn.execute(
                "update approvals set status = 'expired' where thread_id = %s", (second,)
            )
            async with fact(other, ops.house.queue) as made:
                during = await digests.make(made, "during")
        async with fact(other, ops.house.queue) as made:
            after = await digests.make(made, "after")

    assert during is not None
    assert after is not None
    assert [line.thread_id for line in during.about("expired")] == [first]
    assert [line.thread_id for line in after.about("expired")] == [second]


async def test_a_digest_that_was_not_committed_tells_its_lines_another_time(ops: Running) -> None:
    offer(ops, sla=Sla(respond_within=HOUR))
    thread = await asked(ops)
    await wait_out(ops, 2 * HOUR)
    async with (
        ops.house.work.connection() as conn,
        conn.transaction(force_rollback=True),
        fact(conn, ops.house.queue) as recorded,
    ):
        assert await digests.make(recorded, "2026-11-02 17:00")

    (digest,) = await at(ops, monday(17))
    assert thread in digest


async def test_a_long_digest_pages_and_leaves_nothing_out(ops: Running) -> None:
    offer(ops, sla=Sla(respond_within=HOUR))
    thread = await asked(ops, "Pay 0")
    await wait_out(ops, 2 * HOUR)
    columns = ", ".join(
        row["column_name"]
        for row in await ops.rows(
            "select column_name from information_schema.columns where table_name = 'approvals' "
            "and column_name not in ('approval_id', 'interrupt_id', 'request')"
        )
    )
    await ops.execute(
        f"insert into approvals (approval_id, interrupt_id, request, {columns}) "
        "select 'copy' || n, 'i' || n, "
        f"jsonb_set(request::jsonb, '{{title}}', to_jsonb('Pay ' || n))::json, {columns} "
        "from approvals, generate_series(1, 149) n where thread_id = %s",
        thread,
    )

    await at(ops, monday(17))
    await retried(ops)  # no page goes before the first, to which it leads back

    first, *others = pages = digests_of(ops)
    place = next(m["ts"] for m in ops.slack.messages(OPS) if "page 1 of" in m["text"]).replace(".", "")
    assert "page 1 of" in first
    assert f"/p{place}|" not in first
    assert len(others) > 1
    assert all(f"/p{place}|First page>" in page for page in others)
    told = "".join(pages)
    assert all(told.count(f"*Pay {n}*") == 1 for n in range(1, 150))
    assert f"page {len(pages)} of {len(pages)}" in told
    assert all(len(m["blocks"]) <= 50 for m in ops.slack.messages(OPS))


async def test_after_three_days_without_a_clock_one_digest_tells_it_all(ops: Running) -> None:
    offer(ops, sla=Sla(respond_within=HOUR))
    thread = await asked(ops)
    new = await at(ops, monday(17) + timedelta(days=3))

    assert len(new) == 1
    assert thread in new[0]


async def test_a_digest_that_ops_could_not_get_is_delivered_when_their_channel_is_mended(
    ops: Running,
) -> None:
    offer(ops, sla=Sla(respond_within=HOUR))
    thread = await asked(ops)
    await wait_out(ops, 2 * HOUR)
    ops.house.delivery._ops_channel = "#old"
    assert await at(ops, monday(17)) == []

    ops.house.delivery._ops_channel = "#signoff-ops"
    await ops.travel(monday(17, 10))
    await Clock(ops.house).upkeep()
    await ops.drain()

    (digest,) = digests_of(ops)
    assert thread in digest
    assert told_ops(ops)


async def test_what_ops_could_not_be_told_comes_by_itself_and_not_as_a_line_of_a_digest(
    ops: Running,
) -> None:
    offer(ops, policy=Policy(approvers=(MAYA,), approvals=2))
    ops.house.delivery._ops_channel = "#old"
    await asked(ops, "Pay Acme")
    assert await at(ops, monday(17)) == []

    ops.house.delivery._ops_channel = "#signoff-ops"
    await ops.travel(monday(17, 10))
    await Clock(ops.house).upkeep()
    await ops.drain()

    (digest,) = digests_of(ops)
    assert "Pay Acme" not in digest
    assert any("needs 2 approvals" in told for told in told_ops(ops))


async def test_a_thread_whose_worker_died_is_told_as_that(ops: Running) -> None:
    thread = await begin(ops)
    await ops.execute("delete from procrastinate_jobs")
    await ops.execute("update threads set retry_at = signoff_now() + interval '1 day', reached = wanted")

    (digest,) = await at(ops, monday(17))

    assert thread in digest
    assert "the worker that ran it died" in digest


async def test_what_was_decided_by_people_is_no_news_for_ops(ops: Running) -> None:
    offer(ops, sla=Sla(respond_within=HOUR))
    await asked(ops, "Pay Acme")
    await ops.click(MAYA, FINANCE, "signoff.approve")
    await ops.drain()

    (digest,) = await at(ops, monday(17))
    assert "Pay Acme" not in digest
