"""Static breakpoints: what is asked at one, and what follows from the decision."""

from __future__ import annotations

import pytest
from deciding import decided, timed_out

from bot.approvals.dialects import Asked, End, StepOn, Update, breakpoint_move, breakpoint_request
from bot.approvals.errors import BadAnswer

STATE = {"draft": "Dear Bob", "price": 5, "tags": ["a"]}


def at(when="before", state=STATE):
    return Asked(breakpoint_request("send", when, state), "plain")


def test_the_card_shows_the_declared_state_and_lets_it_be_edited():
    request = at().request

    assert request.title == "Run send"
    assert request.proposal == STATE
    assert request.allow == ("approve", "reject", "edit")
    assert at("after").request.title == "Go on after send"


def test_without_a_declared_state_there_is_nothing_to_edit():
    assert at(state={}).request.allow == ("approve", "reject")


def test_an_approval_steps_on_and_a_refusal_or_a_timeout_ends():
    assert breakpoint_move(decided(at(), "approve"), STATE) == StepOn()
    assert isinstance(breakpoint_move(decided(at(), "reject"), STATE), End)
    assert isinstance(breakpoint_move(timed_out(at()), STATE), End)


def test_an_edit_writes_only_what_changed_so_that_no_reducer_adds_the_rest_again():
    edited = {"draft": "Dear Ann", "price": 5, "tags": ["a"]}

    assert breakpoint_move(decided(at(), "approve", proposal=edited), STATE) == Update({"draft": "Dear Ann"})


def test_a_key_that_was_emptied_is_none():
    assert breakpoint_move(decided(at(), "approve", proposal={"draft": "x", "tags": ["a"]}), STATE) == Update(
        {"draft": "x", "price": None}
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("respond", {"text": "hm"}), ("choose", {"choice": "a"}), ("approve", {"proposal": {"secret": 1}})],
)
def test_what_was_not_on_offer_is_refused(verdict, said):
    with pytest.raises(BadAnswer):
        breakpoint_move(decided(at(), verdict, **said), STATE)
