"""An approval's timetable through the whole house: reminders, escalation, and every end that nobody chose."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asking import asked, offer, refuse, retried, tick, wait_out, whispered
from fixtures_house import DANA, FINANCE, FINN, MAYA, OTTO, ROSA, Running

from bot.approvals import Fallback, Policy, Sla
from bot.approvals.sla import timetable
from bot.facts.pauses import Pause
from bot.facts.registering import revise
from bot.postgres.fact import fact

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


def replies(house: Running, lead: str) -> list[str]:
    return [m["text"] for m in house.slack.messages(FINANCE) if m["text"].startswith(lead)]


async def answer(house: Running, thread: str) -> dict[str, Any]:
    result = (await house.thread(thread)).result
    assert isinstance(result, dict)
    return result["answer"]


async def test_the_clock_starts_when_the_card_is_delivered_not_when_it_was_asked(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house, sla=Sla(respond_within=4 * HOUR))
    refuse(monkeypatch, "chat.postMessage", "invalid_auth", times=1)
    thread = await asked(house)
    await wait_out(house, 3 * HOUR)

    approval = await house.approval(thread)
    assert approval.delivered_at is not None
    assert approval.delivered_at - approval.created_at >= 3 * HOUR
    assert approval.due_at == approval.delivered_at + 4 * HOUR
    (shown,) = re.findall(r"Due \*<!date\^(\d+)", str(house.card(FINANCE)["blocks"]))
    assert abs(int(shown) - approval.due_at.timestamp()) < 60, "the card says when it is due in earnest"


async def test_a_reminder_mentions_who_has_not_voted_with_groups_unfolded_once_one_of_them_has(
    house: Running,
) -> None:
    offer(
        house,
        policy=Policy(approvers=("@finance-managers", DANA), approvals=3),
        sla=Sla(respond_within=8 * HOUR, remind_after=(HOUR, 2 * HOUR)),
    )
    await asked(house)
    await wait_out(house, HOUR + MINUTE)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    await wait_out(house, HOUR)

    before, after = replies(house, "Still waiting")
    assert "<!subteam^S01FINMGR>" in before
    assert f"<@{DANA}>" in before
    assert "subteam" not in after
    assert f"<@{FINN}>" in after
    assert f"<@{DANA}>" in after
    assert f"<@{MAYA}>" not in after


@pytest.mark.parametrize("may", [False, True])
async def test_a_reminder_mentions_who_asked_only_where_they_may_decide_their_own(
    house: Running, may: bool
) -> None:
    offer(
        house,
        policy=Policy(approvers=("@finance-managers", ROSA), approvals=2, self_approval=may),
        sla=Sla(respond_within=8 * HOUR, remind_after=(HOUR,)),
    )
    await asked(house)
    await wait_out(house, HOUR + MINUTE)

    (reminder,) = replies(house, "Still waiting")
    assert "<!subteam^S01FINMGR>" in reminder
    assert (f"<@{ROSA}>" in reminder) is may


async def test_missed_reminders_are_sent_once(house: Running) -> None:
    offer(house, sla=Sla(respond_within=9 * HOUR, remind_after=(HOUR, 2 * HOUR, 3 * HOUR, 8 * HOUR)))
    await asked(house)
    await wait_out(house, 5 * HOUR)
    assert len(replies(house, "Still waiting")) == 1
    await wait_out(house, 3 * HOUR + MINUTE)
    assert len(replies(house, "Still waiting")) == 2


async def test_no_reminder_follows_a_decision(house: Running) -> None:
    offer(house, sla=Sla(respond_within=8 * HOUR, remind_after=(HOUR,)))
    await asked(house)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    await wait_out(house, 9 * HOUR)

    assert replies(house, "Still waiting") == []


async def test_escalation_lets_further_people_decide_and_the_card_says_so(house: Running) -> None:
    offer(
        house,
        policy=Policy(approvers=(MAYA,)),
        sla=Sla(respond_within=8 * HOUR, escalate=((2 * HOUR, ("@finance-directors",)),)),
    )
    thread = await asked(house)
    await house.click(DANA, FINANCE, "signoff.approve")
    assert "not among those" in await whispered(house, DANA)
    await wait_out(house, 2 * HOUR + MINUTE)

    assert "Escalated to" in str(house.card(FINANCE)["blocks"])
    assert len(replies(house, "Escalated to")) == 1
    assert (await house.click(DANA, FINANCE, "signoff.approve")).acked
    await house.drain()
    assert (await house.thread(thread)).status == "done"
    events = [entry["event"] for entry in await house.audit(thread)]
    assert events.count("approval.escalated") == 1


async def test_an_escalation_to_those_who_may_decide_already_reminds_them(house: Running) -> None:
    offer(
        house,
        policy=Policy(approvers=(MAYA, FINN)),
        sla=Sla(respond_within=8 * HOUR, remind_after=(HOUR,), escalate=((2 * HOUR, (FINN,)),)),
    )
    thread = await asked(house)
    await wait_out(house, HOUR + MINUTE)
    await wait_out(house, HOUR)

    assert len(replies(house, "Still waiting")) == 2
    assert replies(house, "Escalated to") == []
    assert "approval.escalated" not in [entry["event"] for entry in await house.audit(thread)]


@pytest.mark.parametrize("may", [False, True])
async def test_an_escalation_calls_who_asked_only_where_they_may_decide_their_own(
    house: Running, may: bool
) -> None:
    offer(
        house,
        policy=Policy(approvers=(MAYA,), self_approval=may),
        sla=Sla(respond_within=8 * HOUR, escalate=((2 * HOUR, ("@finance-directors", ROSA)),)),
    )
    await asked(house)
    await wait_out(house, 2 * HOUR + MINUTE)

    (escalation,) = replies(house, "Escalated to")
    assert "subteam" in escalation
    assert (f"<@{ROSA}>" in escalation) is may


@pytest.mark.parametrize(
    ("fallback", "verdict", "said"),
    [
        (Fallback.reject(), "reject", "It stays unanswered"),
        (Fallback.approve(), "approve", "ran unapproved"),
        (Fallback.choose("b"), "choose", "took “Second”"),
        (Fallback.choose("nonsense"), "reject", "I did not run it"),
        (Fallback.as_drafted(), "approve", "as drafted (forced)"),
    ],
)
async def test_each_fallback_runs_at_the_deadline_and_is_never_worded_as_a_persons_answer(
    house: Running, fallback: Fallback, verdict: str, said: str
) -> None:
    offer(house, sla=Sla(respond_within=4 * HOUR, fallback=fallback))
    options = [{"id": "a", "label": "First"}, {"id": "b", "label": "Second"}]
    thread = await asked(house, options=options, proposal={"amount": 3})
    await wait_out(house, 4 * HOUR + MINUTE)

    given = await answer(house, thread)
    assert (given["verdict"], given["by"]) == (verdict, {"kind": "timeout", "user": None})
    assert given["reason"] == "sla_timeout"
    assert given["forced"] is (fallback.kind == "as_drafted")
    card = house.card(FINANCE)
    assert "Timed out" in card["text"]
    assert said in str(card["blocks"])
    assert (await house.approval(thread)).status == "expired"
    assert "Timed out" in house.slack.messages(ROSA)[-1]["text"]


async def test_a_vote_that_was_not_enough_is_told_at_the_deadline_and_reaches_the_graph(
    house: Running,
) -> None:
    offer(house, policy=Policy(approvers=(MAYA, FINN), approvals=2), sla=Sla(respond_within=4 * HOUR))
    thread = await asked(house)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    await wait_out(house, 4 * HOUR + MINUTE)

    shown = str(house.card(FINANCE)["blocks"])
    assert f"*Timed out*, only <@{MAYA}> answered. I did not run it. · <!date^" in shown
    given = await answer(house, thread)
    assert (given["verdict"], given["by"]["kind"]) == ("reject", "timeout")
    assert [vote["user"] for vote in given["votes"]] == [MAYA]


async def test_the_fallback_cancel_ends_the_workflow(house: Running) -> None:
    offer(house, sla=Sla(respond_within=4 * HOUR, fallback=Fallback.cancel()))
    thread = await asked(house)
    await wait_out(house, 4 * HOUR + MINUTE)

    ended = await house.thread(thread)
    assert ended.status == "cancelled"
    assert "nobody answered in time" in (ended.error or "")
    assert "ended the workflow" in str(house.card(FINANCE)["blocks"])


async def test_friday_afternoon_plus_one_working_day_is_monday_afternoon_across_daylight_saving(
    house: Running,
) -> None:
    # Germany leaves summer time on Sunday, 25 October 2026.
    await house.travel(datetime(2026, 10, 23, 16, tzinfo=BERLIN))
    sla = Sla(
        respond_within=timedelta(days=1),
        remind_after=(4 * HOUR,),
        calendar="business",
        timezone="Europe/Berlin",
        holidays="DE",
    )
    offer(house, sla=sla)
    thread = await asked(house)
    due = (await house.approval(thread)).due_at
    assert due is not None
    assert due.astimezone(BERLIN).strftime("%a %H:%M") == "Mon 16:00"

    await house.travel(datetime(2026, 10, 26, 11, 59, tzinfo=BERLIN))
    await tick(house)
    assert replies(house, "Still waiting") == []
    await house.travel(datetime(2026, 10, 26, 12, 1, tzinfo=BERLIN))
    await tick(house)
    assert len(replies(house, "Still waiting")) == 1
    await house.travel(datetime(2026, 10, 26, 15, 59, tzinfo=BERLIN))
    await tick(house)
    assert (await house.approval(thread)).status == "pending"
    await house.travel(datetime(2026, 10, 26, 16, 1, tzinfo=BERLIN))
    await tick(house)
    assert (await house.approval(thread)).status == "expired"


async def test_holidays_do_not_count(house: Running) -> None:
    # Thursday before Easter 2027: Good Friday (26 March) and Easter Monday (29 March) are free.
    await house.travel(datetime(2027, 3, 25, 16, tzinfo=BERLIN))
    offer(
        house,
        sla=Sla(
            respond_within=timedelta(days=1), calendar="business", timezone="Europe/Berlin", holidays="DE"
        ),
    )
    thread = await asked(house)

    due = (await house.approval(thread)).due_at
    assert due is not None
    assert due.astimezone(BERLIN).replace(second=0, microsecond=0) == datetime(2027, 3, 30, 16, tzinfo=BERLIN)


async def test_a_click_after_the_deadline_runs_the_expiry_itself_and_is_told_so(house: Running) -> None:
    offer(house, sla=Sla(respond_within=4 * HOUR))
    thread = await asked(house)
    await house.pass_time(4 * HOUR + MINUTE)
    await house.slack_was_reachable()

    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked
    assert "timed out" in await whispered(house, MAYA)
    await house.drain()

    assert (await answer(house, thread))["verdict"] == "reject"
    assert (await house.approval(thread)).status == "expired"
    await tick(house)
    assert [e["event"] for e in await house.audit(thread)].count("approval.expired") == 1


async def test_a_request_may_ask_for_an_earlier_deadline(house: Running) -> None:
    offer(house, sla=Sla(respond_within=8 * HOUR, remind_after=(HOUR, 5 * HOUR)))
    thread = await asked(house, sla={"respond_within": "PT2H"})

    approval = await house.approval(thread)
    assert approval.delivered_at is not None
    assert approval.due_at == approval.delivered_at + 2 * HOUR
    kinds = [step.kind for step in timetable(approval.sla, approval.delivered_at)]
    assert kinds == ["remind", "expire"]


async def test_a_request_that_would_loosen_keeps_the_workflows_rules_and_says_so_on_the_card(
    house: Running,
) -> None:
    offer(house, policy=Policy(approvers=(MAYA,)), sla=Sla(respond_within=4 * HOUR))
    thread = await asked(house, sla={"respond_within": "P3D"}, policy={"approvers": [OTTO]})

    approval = await house.approval(thread)
    assert approval.delivered_at is not None
    assert approval.due_at == approval.delivered_at + 4 * HOUR
    assert approval.policy.approvers == (MAYA,)
    card = str(house.card(FINANCE)["blocks"])
    assert "sla.respond_within" in card
    assert "policy.approvers" in card
    (entry,) = [e for e in await house.audit(thread) if e["event"] == "approval.asked"]
    assert len(entry["data"]["refused"]) == 2


async def test_an_edit_leaves_the_deadline_where_it_was(house: Running) -> None:
    offer(house, policy=Policy(approvers=(MAYA, FINN), approvals=2), sla=Sla(respond_within=4 * HOUR))
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}}}
    thread = await asked(
        house, proposal={"amount": 3}, proposal_schema=schema, allow=["approve", "reject", "edit"]
    )
    due = (await house.approval(thread)).due_at
    await house.pass_time(HOUR)
    await house.click(MAYA, FINANCE, "signoff.edit")
    (view,) = await house.slack.until(lambda: house.slack.views(MAYA))
    (field,) = [b["block_id"] for b in view["blocks"] if b["type"] == "input" and "amount" in str(b).lower()]
    await house.slack.submit(MAYA, view, {field: "5"})
    await house.drain()

    approval = await house.approval(thread)
    assert (approval.revision, approval.due_at) == (2, due)
    await wait_out(house, 3 * HOUR + MINUTE)
    given = await answer(house, thread)
    assert (given["verdict"], given["proposal"]) == ("reject", {"amount": 3})


@pytest.mark.parametrize("sla", [Sla(respond_within=9 * HOUR), Sla(), Sla(respond_within=HOUR)])
async def test_a_revised_request_keeps_its_deadline_whatever_its_sla_says_now(
    house: Running, sla: Sla
) -> None:
    offer(house, sla=Sla(respond_within=4 * HOUR, remind_after=(HOUR, 2 * HOUR)))
    thread = await asked(house)
    await wait_out(house, 2 * HOUR + MINUTE)
    await house.execute("update approvals set revision = 2, sla = %s::jsonb", sla.model_dump_json())
    await wait_out(house, HOUR)
    assert (await house.approval(thread)).status == "pending"

    await wait_out(house, HOUR)

    assert (await house.approval(thread)).status == "expired"


@pytest.mark.parametrize("reminders", [(2 * HOUR,), (HOUR, 90 * MINUTE, 2 * HOUR, 3 * HOUR)])
async def test_a_revised_request_with_other_reminders_is_reminded_of_and_escalated_as_it_says_now(
    house: Running, reminders: tuple[timedelta, ...]
) -> None:
    sla = Sla(
        respond_within=8 * HOUR,
        remind_after=(HOUR, 2 * HOUR),
        escalate=((4 * HOUR, ("@finance-directors",)),),
    )
    offer(house, policy=Policy(approvers=(MAYA,)), sla=sla)
    thread = await asked(house)
    await wait_out(house, 2 * HOUR + MINUTE)
    reminded = len(replies(house, "Still waiting"))
    await asks_instead(house, thread, sla.model_copy(update={"remind_after": reminders}))

    await wait_out(house, HOUR)
    assert len(replies(house, "Still waiting")) - reminded == (3 * HOUR in reminders)
    await wait_out(house, HOUR)

    assert "@finance-directors" in (await house.approval(thread)).policy.approvers
    assert len(replies(house, "Escalated to")) == 1


async def test_an_escalation_that_a_revised_request_has_instead_of_one_that_came_calls_its_people(
    house: Running,
) -> None:
    sla = Sla(respond_within=8 * HOUR, escalate=((HOUR, (FINN,)),))
    offer(house, policy=Policy(approvers=(MAYA,)), sla=sla)
    thread = await asked(house)
    await wait_out(house, HOUR + MINUTE)
    await asks_instead(house, thread, sla.model_copy(update={"escalate": ((2 * HOUR, (DANA,)),)}))

    await wait_out(house, HOUR)

    assert {FINN, DANA} <= set((await house.approval(thread)).policy.approvers)
    first, second = replies(house, "Escalated to")
    assert FINN in first
    assert DANA in second


async def test_whom_an_escalation_added_may_decide_however_often_the_request_is_revised(
    house: Running,
) -> None:
    offer(
        house, policy=Policy(approvers=(MAYA,)), sla=Sla(respond_within=8 * HOUR, escalate=((HOUR, (FINN,)),))
    )
    thread = await asked(house)
    await wait_out(house, HOUR + MINUTE)

    await asks_instead(house, thread, Sla(respond_within=8 * HOUR))
    await asks_instead(house, thread, Sla(respond_within=8 * HOUR))

    assert (await house.approval(thread)).policy.approvers == (MAYA, FINN)
    assert f"Escalated to <@{FINN}>" in str(house.card(FINANCE)["blocks"])


async def asks_instead(house: Running, thread: str, sla: Sla) -> None:
    """Revise what the thread asks, under another SLA."""
    workflow = house.house.catalog.entries["asking"].workflow
    approval = await house.approval(thread)
    pause = Pause.of(approval.interrupt_id, {"signoff": 1, "title": f"{approval.request.title}, and more"})
    async with house.house.work.connection() as conn, fact(conn, house.house.queue) as recorded:
        await revise(recorded, approval, pause, replace(workflow, sla=sla))
    await house.drain()


async def test_without_a_deadline_nothing_ever_expires(house: Running) -> None:
    offer(house, sla=Sla(remind_after=(HOUR,)))
    thread = await asked(house)
    await wait_out(house, timedelta(days=400))
    await retried(house)

    assert (await house.approval(thread)).status == "pending"
    assert len(replies(house, "Still waiting")) == 1


async def test_an_approval_that_cannot_be_dealt_with_does_not_hold_up_the_others(house: Running) -> None:
    offer(house, sla=Sla(respond_within=HOUR))
    broken = await asked(house, "Pay the broken one")
    sound = await asked(house, "Pay the sound one")
    await house.execute(
        "update approvals set sla = '{\"unknown\": 1}', next_at = next_at - interval '1 minute' "
        "where thread_id = %s",
        broken,
    )
    await wait_out(house, HOUR + MINUTE)

    assert (await house.approval(sound)).status == "expired"
    statuses = await house.rows("select status from approvals where thread_id = %s", broken)
    assert statuses == [{"status": "pending"}]
