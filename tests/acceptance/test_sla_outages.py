"""What nobody could see or answer does not expire: outages of Slack, of the database, and of ourselves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from asking import asked, begin, calls, card_row, offer, tick, wait_out, whispered
from fixtures_house import FINANCE, MAYA, Running

from bot.approvals import Sla
from bot.clock import Clock

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def probes(house: Running, length: timedelta, every: timedelta = timedelta(seconds=30)) -> None:
    """Let time pass with the clock running: it looks at Slack, and sweeps."""
    clock = Clock(house.house)
    for _ in range(int(length / every)):
        await house.pass_time(every)
        await clock.probe()
        await clock.tick()
    await house.drain()


def reminders(house: Running) -> list[str]:
    return [m["text"] for m in house.slack.messages(FINANCE) if "Still waiting" in m["text"]]


async def slack_goes(house: Running, length: timedelta) -> None:
    house.slack.faults.down = True
    await probes(house, length, every=length / 4)


async def slack_returns(house: Running) -> None:
    house.slack.faults.down = False
    await Clock(house.house).probe()
    await tick(house, timedelta(seconds=61), 2)


async def test_nothing_is_lost_or_expired_while_slack_is_away_and_all_is_drawn_after(house: Running) -> None:
    offer(house, sla=Sla(respond_within=2 * HOUR, remind_after=(HOUR,)))
    seen = await asked(house, "Pay the seen one")
    await Clock(house.house).probe()
    house.slack.faults.down = True
    unseen = await asked(house, "Pay the unseen one")
    await slack_goes(house, 8 * HOUR)
    assert [(await house.approval(t)).status for t in (seen, unseen)] == ["pending", "pending"]

    await slack_returns(house)

    assert [(await house.approval(t)).status for t in (seen, unseen)] == ["pending", "pending"]
    assert len(house.cards(FINANCE)) == 2
    assert len(reminders(house)) == 1
    assert await house.rows("select 1 from messages where wanted > drawn") == []
    await probes(house, 11 * MINUTE)
    assert [(await house.approval(t)).status for t in (seen, unseen)] == ["expired", "pending"]
    late = await house.approval(unseen)
    assert late.delivered_at is not None
    assert late.delivered_at - late.created_at > 8 * HOUR


async def test_reminders_that_slack_could_not_take_come_as_one_when_it_is_back(house: Running) -> None:
    offer(house, sla=Sla(respond_within=9 * HOUR, remind_after=(HOUR, 2 * HOUR, 3 * HOUR, 8 * HOUR)))
    thread = await asked(house)
    await wait_out(house, MINUTE)
    await slack_goes(house, 4 * HOUR)
    await slack_returns(house)
    missed = reminders(house)
    await probes(house, 4 * HOUR, every=HOUR)

    assert len(missed) == 1
    assert len(reminders(house)) == 2
    events = [entry["event"] for entry in await house.audit(thread)]
    assert events.count("approval.reminded") == 2, "the audit tells of what was sent"


async def test_a_click_inside_the_grace_after_an_outage_still_counts(house: Running) -> None:
    offer(house, sla=Sla(respond_within=2 * HOUR))
    thread = await asked(house)
    await Clock(house.house).probe()
    await slack_goes(house, 4 * HOUR)
    await slack_returns(house)

    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    await house.drain()

    assert (await house.thread(thread)).status == "done"
    assert (await house.approval(thread)).status == "decided"


async def test_a_second_outage_gives_a_second_grace(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    thread = await asked(house)
    await Clock(house.house).probe()
    await slack_goes(house, 2 * HOUR)
    await slack_returns(house)
    await slack_goes(house, HOUR)
    await slack_returns(house)
    await probes(house, 5 * MINUTE)
    assert (await house.approval(thread)).status == "pending"

    await probes(house, 6 * MINUTE)
    assert (await house.approval(thread)).status == "expired"


async def test_a_blip_of_slack_delays_no_deadline(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    thread = await asked(house)
    await house.pass_time(HOUR - timedelta(seconds=30))
    await house.slack_was_reachable()
    house.slack.faults.down = True
    await probes(house, timedelta(seconds=20), every=timedelta(seconds=10))
    house.slack.faults.down = False
    await probes(house, timedelta(seconds=20), every=timedelta(seconds=10))

    assert (await house.approval(thread)).status == "expired"


async def test_one_clock_that_is_cut_off_does_not_stop_the_deadlines_of_all(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    thread = await asked(house)
    healthy, cut_off = Clock(house.house), Clock(house.house)
    for _ in range(62):
        await house.pass_time(MINUTE / 2)
        house.slack.faults.down = True
        await cut_off.probe()
        house.slack.faults.down = False
        await healthy.probe()
        await house.pass_time(MINUTE / 2)
        await healthy.probe()
    await healthy.tick()

    assert (await house.approval(thread)).status == "expired"


async def test_our_own_absence_is_an_outage_too(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    thread = await asked(house)
    await Clock(house.house).probe()
    await house.pass_time(5 * HOUR)  # nothing of ours runs

    returning = Clock(house.house)
    await returning.probe()  # as `run_clock` begins
    await returning.tick()
    assert (await house.approval(thread)).status == "pending"

    await probes(house, 11 * MINUTE)
    assert (await house.approval(thread)).status == "expired"


async def test_a_click_before_the_clock_is_back_counts_though_its_deadline_has_passed(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    thread = await asked(house)
    await Clock(house.house).probe()
    await house.pass_time(5 * HOUR)  # nothing of ours runs

    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    await house.drain()

    assert (await house.approval(thread)).status == "decided"


async def test_a_tick_before_a_clock_could_look_at_slack_expires_nothing(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    thread = await asked(house)
    await Clock(house.house).probe()
    await house.pass_time(5 * HOUR)

    await Clock(house.house).tick()  # its first look failed, say for want of a database

    assert (await house.approval(thread)).status == "pending"


async def test_a_clock_that_was_suspended_looks_at_slack_before_anything_expires(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    thread = await asked(house)
    wall = [1000.0]
    clock = Clock(house.house, lambda: wall[0])
    await clock.probe()
    await clock.tick()
    await house.pass_time(5 * HOUR)
    wall[0] += 5 * 3600
    await clock.tick()  # the tick may come before the probe

    assert (await house.approval(thread)).status == "pending"


async def test_while_slack_is_away_attempts_and_jobs_stay_few(house: Running) -> None:
    offer(house)
    await Clock(house.house).probe()
    for n in range(30):
        await begin(house, f"Pay {n}")
    house.slack.faults.down = True
    await house.drain()
    before = calls(house, "chat.postMessage")
    await house.pass_time(2 * MINUTE)
    await Clock(house.house).probe()
    for _ in range(20):
        await house.pass_time(timedelta(seconds=6))
        await Clock(house.house).tick()

    (jobs,) = await house.rows("select count(*) from procrastinate_jobs where status = 'todo'")
    assert jobs["count"] <= 100
    await house.drain()
    assert calls(house, "chat.postMessage") - before <= 100
    house.slack.faults.down = False
    await Clock(house.house).probe()
    await tick(house, timedelta(seconds=61), 2)
    assert len(house.cards(FINANCE)) == 30


async def test_clocks_that_sweep_at_once_expire_each_approval_once(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    threads = [await begin(house, f"Pay {n}") for n in range(12)]
    await house.drain()
    await house.pass_time(HOUR + MINUTE)
    await house.slack_was_reachable()

    await asyncio.gather(*(Clock(house.house).tick() for _ in range(4)))
    await house.drain()

    for thread in threads:
        events = [entry["event"] for entry in await house.audit(thread)]
        assert events.count("approval.expired") == 1
        assert (await house.thread(thread)).status == "done"
    texts = [message["text"] for message in house.slack.messages(FINANCE)]
    assert len([text for text in texts if "Timed out" in text]) == 24  # each card, and the note under it


async def test_a_click_and_the_clock_at_once_leave_one_outcome(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    thread = await asked(house)
    await house.pass_time(HOUR + MINUTE)
    await house.slack_was_reachable()

    await asyncio.gather(house.click(MAYA, FINANCE, "signoff.approve"), Clock(house.house).tick())
    await house.drain()

    assert (await house.approval(thread)).status == "expired"
    assert "timed out" in await whispered(house, MAYA)
    assert [e["event"] for e in await house.audit(thread)].count("approval.expired") == 1


async def test_a_deadline_that_was_held_is_shown_on_the_card_as_still_open(house: Running) -> None:
    offer(house, sla=Sla(respond_within=2 * HOUR, remind_after=(HOUR,)))
    thread = await asked(house)
    await wait_out(house, HOUR + MINUTE)
    await slack_goes(house, 4 * HOUR)
    await slack_returns(house)
    await tick(house, timedelta(seconds=6))

    assert (await house.approval(thread)).status == "pending"
    assert "it can still be decided" in str(house.card(FINANCE)["blocks"])
    assert (await card_row(house, thread))["wanted"] == 2, "that is said once, however long the outage"
