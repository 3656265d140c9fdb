"""Whether a verdict counts, and in which order the reasons why not are looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_rows import ANA, BOB, EVE, NOW, OPTIONS, REQUEST, approval, thread, vote

from bot.approvals import Policy
from bot.approvals.correction import Correction
from bot.approvals.standing import Person, Standing
from bot.facts.case import Case
from bot.facts.counting import with_vote
from bot.facts.deadlines import Reach
from bot.facts.judging import Click, doubted, is_what_was_decided, judge, lapsed
from bot.postgres.rows import votes_of

LONG = NOW - timedelta(days=9)
PERSON = Person(BOB, "T1", is_bot=False, is_guest=False, is_deactivated=False, fetched_at=NOW)
PENDING = approval(
    policy=Policy(approvers=(BOB, EVE), approvals=2), due_at=NOW + timedelta(hours=1), revision=3
)
CASE = Case(
    approval=PENDING,
    thread=thread(requester=ANA),
    votes=(),
    person=PERSON,
    groups=(),
    groups_at=None,
    team="T1",
    known_place=True,
    adopted=(),
    reach=Reach(LONG, timedelta(minutes=10)),
    now=NOW,
)
CLICK = Click(user=BOB, team="T1", approval_id="a1", revision=3, verdict="approve")


def case(**changes: Any) -> Case:
    return replace(CASE, **changes)


def of_approval(**changes: Any) -> Case:
    return case(approval=replace(PENDING, **changes))


def click(**changes: Any) -> Click:
    return replace(CLICK, **changes)


def test_a_click_of_who_may_on_what_is_open_counts() -> None:
    assert judge(CASE, CLICK) == Standing("named")


@pytest.mark.parametrize(
    ("held", "clicked", "why"),
    [
        (case(person=replace(PERSON, team_id="T2")), click(team="T2"), "foreign"),
        (case(person=None), click(team="T2"), "unchecked"),
        (case(person=replace(PERSON, fetched_at=LONG)), click(team="T2"), "unchecked"),
        (of_approval(status="decided"), CLICK, "settled"),
        (of_approval(status="cancelled"), CLICK, "settled"),
        (of_approval(due_at=NOW), CLICK, "overdue"),
        (case(known_place=False), CLICK, "stray"),
        (CASE, click(revision=2), "outdated"),
        (CASE, click(revision=4), "outdated"),
        (CASE, click(verdict="respond"), "not_allowed"),
        (CASE, click(verdict="choose", choice="o1"), "not_allowed"),
        (case(person=None), CLICK, "unchecked"),
        (case(team=None), CLICK, "unchecked"),
        (case(thread=thread(requester=BOB)), CLICK, "own"),
        (of_approval(policy=Policy()), CLICK, "not_listed"),
        (replace(of_approval(policy=Policy(approvers=("@gone",))), groups_at=NOW), CLICK, "no_group"),
        (CASE, click(corrects=True), "not_allowed"),
    ],
)
def test_what_keeps_a_click_from_counting_has_a_name(held: Case, clicked: Click, why: str) -> None:
    assert judge(held, clicked) == why


@pytest.mark.parametrize("verdict", ["reject", "respond"])
def test_a_no_and_an_answer_in_words_count_where_they_are_offered(verdict: Any) -> None:
    offered = of_approval(asked=REQUEST.model_copy(update={"allow": ("approve", verdict)}).payload())
    assert judge(offered, click(verdict=verdict)) == Standing("named")


def test_somebody_of_another_workspace_learns_nothing_of_the_approval() -> None:
    decided = of_approval(status="decided")
    assert judge(replace(decided, person=replace(PERSON, team_id="T2")), click(team="T2")) == "foreign"
    assert judge(replace(decided, person=None), click(team="T2")) == "unchecked"
    known_long_ago = replace(PERSON, fetched_at=LONG)
    assert judge(replace(decided, person=known_long_ago), click(team="T2")) == "unchecked"


def test_who_is_in_several_workspaces_is_not_of_another_because_the_click_names_it() -> None:
    assert judge(CASE, click(team="T2")) == Standing("named")


def test_what_is_settled_is_told_before_who_may_and_before_what_the_card_shows() -> None:
    settled = replace(of_approval(status="decided"), person=None, known_place=False)
    assert judge(settled, click(revision=1)) == "settled"


def test_nothing_is_overdue_while_slack_was_out_of_reach() -> None:
    late = of_approval(due_at=NOW - timedelta(hours=1))
    assert judge(replace(late, reach=Reach(None, timedelta(minutes=10))), CLICK) == Standing("named")
    just_back = Reach(NOW - timedelta(minutes=9), timedelta(minutes=10))
    assert judge(replace(late, reach=just_back), CLICK) == Standing("named")
    assert judge(late, CLICK) == "overdue"


def test_an_approval_without_a_deadline_is_never_overdue() -> None:
    assert judge(of_approval(due_at=None), CLICK) == Standing("named")


def test_an_edit_needs_edit_and_an_approval_approve() -> None:
    only_edit = of_approval(asked=REQUEST.model_copy(update={"allow": ("edit",)}).payload())
    assert judge(only_edit, CLICK) == "not_allowed"
    assert judge(only_edit, click(proposal={"amount": 1, "to": "Acme"})) == Standing("named")
    no_edit = of_approval(asked=REQUEST.model_copy(update={"allow": ("approve",)}).payload())
    assert judge(no_edit, click(proposal={"amount": 1, "to": "Acme"})) == "not_allowed"


@pytest.mark.parametrize(("place", "chosen"), [(0, "o0"), (2, "o2"), (3, None), (-1, None)])
def test_an_option_is_found_by_its_place_and_never_beyond_the_last(place: int, chosen: str | None) -> None:
    request = REQUEST.model_copy(update={"options": OPTIONS})
    assert click(verdict="choose", option=place).chosen(request).choice == chosen


def test_saying_the_same_again_is_repeating() -> None:
    assert judge(case(votes=(vote(BOB),)), CLICK) == "repeated"


@pytest.mark.parametrize(
    "said",
    [
        vote(EVE),
        vote(BOB, "reject"),
        vote(BOB, comment="fine"),
        vote(BOB, "respond", text="no"),
    ],
)
def test_saying_something_else_is_no_repeating(said: Any) -> None:
    assert judge(case(votes=(said,)), CLICK) == Standing("named")


def test_ones_own_edit_sent_again_is_repeating_and_anything_like_it_is_out_of_date() -> None:
    after = {"amount": 9.0, "to": "Acme"}
    held = replace(of_approval(proposal=after, edited_by=BOB), votes=(vote(BOB),))
    again = click(revision=2, proposal=after)
    assert judge(held, again) == "repeated"
    assert judge(held, replace(again, revision=1)) == "outdated"
    assert judge(held, replace(again, proposal={"amount": 8.0, "to": "Acme"})) == "outdated"
    assert judge(held, replace(again, proposal=None)) == "outdated"
    assert judge(replace(held, votes=()), again) == "outdated"
    assert judge(replace(held, approval=replace(held.approval, edited_by=EVE)), again) == "outdated"


def test_ones_own_correction_sent_again_is_repeating_and_any_other_of_an_older_card_is_out_of_date() -> None:
    held = of_approval(correction=Correction({}, {"total": 1}).put_right({"total": 2}, BOB))
    again = click(corrects=True, revision=2)
    assert judge(held, again) == "repeated"
    assert judge(held, replace(again, revision=1)) == "outdated"
    assert judge(held, replace(again, user=EVE)) == "outdated"
    assert judge(held, replace(again, corrects=False)) == "outdated"
    assert judge(of_approval(correction=Correction({}, {"total": 1})), again) == "outdated"


@pytest.mark.parametrize(
    ("status", "stands"), [("decided", True), ("expired", False), ("cancelled", False), ("orphaned", False)]
)
def test_who_voted_had_their_way_only_where_it_was_decided(status: Any, stands: bool) -> None:
    held = replace(of_approval(status=status), votes=(vote(BOB),))
    assert is_what_was_decided(held, CLICK) is stands
    assert not is_what_was_decided(held, click(verdict="reject"))


def test_a_standing_that_was_lost_is_lost_for_repeating_too() -> None:
    gone = replace(PERSON, is_deactivated=True)
    assert judge(case(votes=(vote(BOB),), person=gone), CLICK) == "deactivated"


def test_earlier_voters_are_judged_by_the_rule_that_clicks_are_judged_by() -> None:
    eve = replace(PERSON, user_id=EVE)
    held = case(votes=(vote(EVE), vote(BOB)))
    assert doubted(replace(held, voters=(eve,))) == {}
    assert doubted(replace(held, voters=(eve, PERSON), person=None)) == {}
    assert doubted(replace(held, voters=(replace(eve, is_guest=True),))) == {EVE: "guest"}
    assert doubted(replace(held, voters=(eve,), thread=thread(requester=EVE))) == {EVE: "own"}
    assert (
        doubted(held) == doubted(replace(held, voters=(replace(eve, fetched_at=LONG),))) == {EVE: "unchecked"}
    )


def test_a_vote_is_lost_by_what_is_known_and_not_by_what_is_unknown() -> None:
    assert lapsed({BOB: "unchecked", EVE: "deactivated"}) == {EVE: "deactivated"}


def test_an_edit_leaves_no_vote_but_its_own() -> None:
    first = vote(EVE)
    held = case(votes=(first,), voters=(replace(PERSON, user_id=EVE),))
    same = with_vote(held, CLICK, Standing("named"))
    assert same.approval.status == "decided"
    assert same.votes[0] == first
    edited = with_vote(held, click(proposal={"amount": 9.0, "to": "Acme"}), Standing("named"))
    assert (edited.approval.status, edited.approval.revision) == ("pending", 4)
    assert edited.votes == (edited.vote,)


def test_what_is_decided_is_what_was_edited() -> None:
    after = {"amount": 9.0, "to": "Acme"}
    alone = of_approval(policy=Policy(approvers=(BOB,)))
    decision = with_vote(alone, click(proposal=after), Standing("named")).approval.decision
    assert decision is not None
    assert (decision.proposal, decision.edited) == (after, ("amount",))


def test_votes_are_read_in_the_order_in_which_they_were_given() -> None:
    given = (vote(EVE), vote(BOB).model_copy(update={"at": NOW + timedelta(minutes=1)}))
    rows = [{"revision": 3, "vote": one.model_dump(mode="json")} for one in reversed(given)]
    assert votes_of(rows, 3) == given
