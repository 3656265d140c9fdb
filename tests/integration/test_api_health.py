from __future__ import annotations

from datetime import timedelta

import pytest
from fixtures_house import FINANCE, MAYA, OTTO, ROSA, api_client, running_house
from prometheus_client.parser import text_string_to_metric_families

from bot.clock import Clock
from workflows.expense import samples


@pytest.fixture
async def client(house):
    async with api_client(house, token=None) as client:
        yield client


async def standing(client):
    """Status of /readyz, and the parts that it calls a problem or warns of."""
    response = await client.get("/readyz")
    said = response.json()
    assert said["ready"] is (response.status_code == 200) is not said["problems"]
    assert all(found["problem"] for found in said["problems"] + said["warnings"])
    return (
        response.status_code,
        [found["part"] for found in said["problems"]],
        [found["part"] for found in said["warnings"]],
    )


async def test_a_house_in_order_is_alive_and_ready(client):
    assert (await client.get("/healthz")).status_code == 200
    assert await standing(client) == (200, [], [])


async def test_a_slack_that_does_not_answer_makes_it_unready_until_it_does(house, client):
    await house.execute("update slack_workspace set ok_since = null, checked_at = signoff_now()")
    assert await standing(client) == (503, ["slack"], [])
    await house.slack_was_reachable()
    assert await standing(client) == (200, [], [])


async def test_an_outage_of_slack_is_not_taken_for_a_silent_clock(house, client):
    """The clock notes when Slack last answered, and no more than that."""
    house.slack.faults.down = True
    for _ in range(2):
        await house.pass_time(timedelta(minutes=5))
        await Clock(house.house).probe()
    assert await standing(client) == (503, ["slack"], [])
    now = await samples_of(client)
    assert now[("signoff_slack_reachable",)] == 0
    assert ("signoff_clock_silent_seconds",) not in now


async def test_a_silent_clock_is_said_and_takes_no_web_role_away_from_people(house, client):
    await house.pass_time(timedelta(minutes=5))
    assert await standing(client) == (200, [], ["clock"])
    await house.execute("update slack_workspace set checked_at = null")
    assert await standing(client) == (200, [], ["clock"])


async def test_a_database_that_is_away_makes_it_unready_but_alive(house, client):
    await house.house.listening.close()
    assert await standing(client) == (503, ["database"], [])
    assert (await client.get("/healthz")).status_code == 200


async def test_a_missing_migration_is_named(house, client):
    await house.execute("delete from signoff_migrations where name = '0001_signoff.sql'")
    assert await standing(client) == (503, ["migrations"], [])
    assert "signoff migrate" in (await client.get("/readyz")).text


async def test_a_missing_ops_channel_is_said(database):
    async with (
        running_house(database, SIGNOFF_OPS_CHANNEL="") as running,
        api_client(running, None) as client,
    ):
        assert await standing(client) == (503, ["ops_channel"], [])


async def test_ops_who_cannot_be_told_are_said_to_be_until_they_are(database):
    async with (
        running_house(database, SIGNOFF_OPS_CHANNEL="#no-such-channel") as running,
        api_client(running, None) as client,
    ):
        insert = "insert into messages (message_id, kind, target, body) values (%s, 'ops', '', %s)"
        await running.execute(insert, "ops:one", '{"problem": "p", "detail": "d", "command": "c"}')
        await running.house.delivery.draw("ops:one")
        assert await standing(client) == (503, ["ops_channel"], [])
        assert "channel_not_found" in (await client.get("/readyz")).text
        await running.execute(
            "insert into messages (message_id, kind, target, ts, drawn)"
            " values ('ops:two', 'ops', '', '1.2', 1)"
        )
        assert await standing(client) == (200, [], [])


async def test_a_workflow_that_does_not_load_is_a_warning(database):
    async with (
        running_house(database, extra=("nowhere.to:be_found",)) as running,
        api_client(running, None) as client,
    ):
        assert await standing(client) == (200, [], ["workflows"])


async def samples_of(client):
    """Every sample of a scrape by name and labels."""
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_what_happens_is_counted(house, client):
    before = await samples_of(client)
    await house.run("expense", samples["hotel"], ROSA)
    await house.click(OTTO, FINANCE, "signoff.approve")
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    after = await samples_of(client)

    def grown(name, *labels):
        key = (name, *sorted(labels))
        return after.get(key, 0) - before.get(key, 0)

    assert grown("signoff_decisions_total", "approve", "human") == 1
    assert grown("signoff_refusals_total", "not_listed") == 1
    assert grown("signoff_click_seconds_count") == 2
    assert grown("signoff_slack_calls_total", "chat.postMessage", "ok") >= 2
    assert grown("signoff_slack_calls_total", "chat.update", "ok") >= 1
    assert grown("signoff_slack_calls_total", "chat.postEphemeral", "ok") == 1
    assert grown("signoff_jobs_total", "advance", "done") >= 2
    assert grown("signoff_jobs_total", "draw", "done") >= 2


async def test_what_nobody_answered_in_time_is_counted_as_a_decision_too(house, client):
    before = await samples_of(client)
    await house.run("expense", samples["hotel"], ROSA)
    await house.pass_time(timedelta(days=30))
    await house.slack_was_reachable()
    await Clock(house.house).tick()
    after = await samples_of(client)
    key = ("signoff_decisions_total", "reject", "timeout")
    assert after.get(key, 0) - before.get(key, 0) == 1


async def test_calls_that_fail_are_counted_by_how(house, client):
    before = await samples_of(client)
    house.slack.fault("chat.postMessage", "ratelimited")
    await house.run("expense", samples["hotel"], ROSA)
    after = await samples_of(client)
    key = ("signoff_slack_calls_total", "chat.postMessage", "ratelimited")
    assert after[key] - before.get(key, 0) == 1


async def test_how_things_stand_is_read_at_the_scrape(house, client):
    assert (await samples_of(client))[("signoff_approvals_pending",)] == 0
    await house.run("expense", samples["hotel"], ROSA)
    await house.start("expense", samples["acme"], ROSA)
    await house.pass_time(timedelta(days=30))
    now = await samples_of(client)
    assert now[("signoff_database_up",)] == 1
    assert now[("signoff_approvals_pending",)] == 1
    assert now[("signoff_approvals_overdue",)] == 1
    assert now[("signoff_oldest_pending_seconds",)] > timedelta(days=30).total_seconds()
    assert now[("signoff_threads", "waiting")] == 1
    assert now[("signoff_threads", "running")] == 1
    assert now[("signoff_threads_behind",)] == 1
    assert now[("signoff_queued_jobs", "threads")] == 1
    assert now[("signoff_messages_behind",)] == 0
    assert now[("signoff_slack_reachable",)] == 1
    assert now[("signoff_clock_silent_seconds",)] > 60


async def test_without_a_database_the_counters_are_still_served(house, client):
    await house.house.listening.close()
    now = await samples_of(client)
    assert now[("signoff_database_up",)] == 0
    assert ("signoff_approvals_pending",) not in now


async def test_a_scrape_reads_what_is_open_by_index(house):
    from bot.api.measures import _AS_IT_STANDS

    async with house.house.work.connection() as conn, conn.transaction():
        await conn.execute("set local enable_seqscan = off")
        plan = await (await conn.execute("explain " + _AS_IT_STANDS)).fetchall()
    text = "\n".join(line["QUERY PLAN"] for line in plan)
    for table in ("approvals", "messages", "threads"):
        assert f"Seq Scan on {table}" not in text, text
