"""What an approval comes to that nobody answers in time, and whom it calls before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from slack_rows import ANA, BOB, EVE, NOW, OPTIONS, REQUEST, approval

from bot.approvals import Fallback, Policy, Sla
from bot.facts.deadlines import Reach, due, expired, under


def unanswered(fallback: Fallback, **changes: Any) -> Any:
    return approval(sla=Sla(respond_within=timedelta(days=1), fallback=fallback), **changes)


def test_the_fallback_cancel_ends_the_thread_and_says_for_what() -> None:
    held = unanswered(Fallback.cancel())
    decision, why = expired(held, NOW)
    assert decision.rejected
    assert why == f"nobody answered in time: {held.request.title}"


@pytest.mark.parametrize("fallback", [Fallback.cancel(), Fallback.approve(), Fallback.as_drafted()])
def test_what_was_never_delivered_is_rejected_and_its_thread_goes_on_whatever_the_fallback(
    fallback: Fallback,
) -> None:
    decision, why = expired(unanswered(fallback, delivered_at=None), NOW)
    assert (decision.rejected, decision.reason, why) == (True, "never_delivered", None)


@pytest.mark.parametrize("fallback", [Fallback.reject(), Fallback.approve(), Fallback.as_drafted()])
def test_no_other_fallback_ends_the_thread(fallback: Fallback) -> None:
    assert expired(unanswered(fallback), NOW)[1] is None


@pytest.mark.parametrize(("choice", "comes_to"), [("o1", ("choose", "o1")), ("o9", ("reject", None))])
def test_an_option_that_is_not_on_offer_is_not_chosen(choice: str, comes_to: tuple[str, str | None]) -> None:
    asked = REQUEST.model_copy(update={"options": OPTIONS}).payload()
    decision, why = expired(unanswered(Fallback.choose(choice), asked=asked), NOW)
    assert ((decision.verdict, decision.choice), why) == (comes_to, None)


def test_escalations_that_come_at_once_call_everybody_once() -> None:
    steps = enumerate([(ANA,), (ANA, BOB), (BOB,), (EVE,)], 1)
    sla = Sla(escalate=tuple((timedelta(hours=hour), added) for hour, added in steps))
    held = approval(
        sla=sla, policy=Policy(approvers=(EVE,)), delivered_at=NOW - timedelta(days=1), escalated=()
    )
    come = due(held, Reach(NOW, timedelta()), NOW)
    assert [step.approvers for step in come.escalations] == [(ANA,), (BOB,)]
    assert come.approval.policy.approvers == (EVE, ANA, BOB)
    assert come.reminder is not None


def test_what_is_due_this_moment_is_due() -> None:
    assert due(approval(due_at=NOW), Reach(NOW, timedelta()), NOW).expires


@pytest.mark.parametrize("ok_since", [None, NOW - timedelta(minutes=9)])
def test_what_may_not_expire_yet_is_looked_at_again_when_it_may(ok_since: Any) -> None:
    reach = Reach(ok_since, timedelta(minutes=10))
    come = due(approval(due_at=NOW, escalated=()), reach, NOW)
    assert not come.expires
    assert come.approval.next_at == (ok_since or NOW) + timedelta(minutes=10)


def test_while_slack_is_away_nothing_is_looked_at_again_at_once_also_without_a_grace() -> None:
    come = due(approval(due_at=NOW, escalated=()), Reach(None, timedelta()), NOW)
    assert not come.expires
    assert come.approval.next_at is not None
    assert come.approval.next_at > NOW


def test_of_reminders_that_were_missed_the_last_is_sent_and_the_next_comes_in_its_turn() -> None:
    sla = Sla(remind_after=tuple(timedelta(hours=hour) for hour in (1, 2, 30)))
    held = approval(sla=sla, delivered_at=NOW - timedelta(days=1), due_at=None, escalated=())
    come = due(held, Reach(NOW, timedelta()), NOW)
    assert come.reminder is not None
    assert come.reminder.at == NOW - timedelta(hours=22)
    assert (come.approval.steps_done, come.approval.next_at) == (2, NOW + timedelta(hours=6))


def test_whom_an_earlier_escalation_added_stays_noted_with_those_whom_the_next_adds() -> None:
    hours = timedelta(hours=1), timedelta(hours=2)
    sla = Sla(escalate=tuple(zip(hours, ((ANA,), (BOB,)), strict=True)))
    held = approval(sla=sla, delivered_at=NOW - timedelta(days=1), escalated=(ANA,), steps_done=1)
    assert due(held, Reach(NOW, timedelta()), NOW).approval.escalated == (ANA, BOB)


@pytest.mark.parametrize(("now_adds", "left_out"), [(ANA, 2), (BOB, 1)])
def test_of_what_another_sla_had_by_now_only_an_escalation_to_others_still_comes(
    now_adds: str, left_out: int
) -> None:
    hour = timedelta(hours=1)
    held = approval(
        sla=Sla(escalate=((2 * hour, (ANA,)),)),
        delivered_at=NOW - 24 * hour,
        due_at=None,
        escalated=(ANA,),
        steps_done=1,
    )
    moved = under(Sla(remind_after=(hour, 30 * hour), escalate=((2 * hour, (now_adds,)),)), held)
    assert moved.steps_done == left_out
    assert moved.next_at == NOW + (6 * hour if left_out == 2 else -22 * hour)


def test_what_would_come_after_the_end_does_not_put_the_end_off() -> None:
    hour = timedelta(hours=1)
    held = approval(sla=Sla(remind_after=(30 * hour,)), delivered_at=NOW, due_at=NOW + hour, escalated=())
    assert due(held, Reach(NOW, timedelta()), NOW).approval.next_at == NOW + hour
