"""What an approval comes to that nobody answers in time, and whom it calls before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from slack_rows import ANA, BOB, EVE, NOW, OPTIONS, REQUEST, approval

from bot.approvals import Fallback, Policy, Sla
from bot.facts.deadlines import Reach, due, expired


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
