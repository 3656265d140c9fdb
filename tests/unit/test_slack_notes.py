"""Messages that are not cards: whom they call, what they tell, and what mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from slack_rows import (
    BOB,
    EVE,
    GROUPS,
    NOW,
    REQUEST,
    actions,
    approval,
    decided,
    decision,
    judge,
    message,
    read,
    thread,
)

from bot.slack.messages.notes import note

LINK = "https://slack.example/archives/C1/p1"


def tell(kind: str, about: Any = None, **body: Any) -> str:
    sent = replace(message(kind, **body), approval_id="a1", thread_id="t1")
    drawn = note(sent, about, thread(), groups=GROUPS, now=NOW)
    judge(drawn.blocks)
    assert not actions(drawn.blocks)
    assert drawn.text
    assert drawn.metadata == {"event_type": "signoff_message", "event_payload": {"message_id": f"{kind}:a1"}}
    return read(drawn.blocks)


def test_a_reminder_calls_who_has_not_voted_and_says_by_when() -> None:
    told = tell("reminder", approval(), users=[BOB], groups=["@finance-managers"])

    assert f"Still waiting for <@{BOB}> and <!subteam^S01FINMGR>: Pay Acme" in told
    assert "Due *<!date^" in told


@pytest.mark.parametrize("kind", ["reminder", "escalation"])
def test_nobody_is_called_to_what_was_settled_meanwhile(kind: str) -> None:
    told = tell(kind, decided(decision()), users=[BOB], groups=["@finance-managers"])

    assert "Settled meanwhile" in told
    assert "<@" not in told
    assert "subteam" not in told


def test_an_escalation_calls_who_was_added() -> None:
    assert f"Escalated to <@{EVE}>" in tell("escalation", approval(), users=[EVE])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"event": "vote", "user": BOB, "verdict": "approve", "comment": "fine <!here>"},
            f"<@{BOB}> approved.",
        ),
        ({"event": "vote", "user": BOB, "verdict": "approve", "comment": "fine <!here>"}, "fine <!here>"),
        ({"event": "vote", "user": BOB, "verdict": "reject"}, f"<@{BOB}> rejected."),
        ({"event": "vote", "user": "<!channel>", "verdict": "respond"}, "&lt;!channel&gt; answered."),
        ({"event": "edited", "user": BOB}, f"<@{BOB}> edited the proposal. Earlier votes are void."),
        (
            {"event": "edited", "user": BOB, "changes": [{"path": "amount", "before": 1, "after": 2}]},
            "amount :  1  →  2",
        ),
        (
            {"event": "edited", "user": BOB, "changes": [{"path": "note", "after": ""}]},
            "(nothing)  →  (empty)",
        ),
        (
            {"event": "vote", "user": BOB, "verdict": "approve", "lapsed": [EVE]},
            f"<@{BOB}> approved. What <@{EVE}> said no longer counts",
        ),
        ({"event": "lapsed", "lapsed": [EVE]}, f"What <@{EVE}> said no longer counts"),
        ({"event": "lapsed", "lapsed": ["<!channel>"]}, "What &lt;!channel&gt; said"),
        ({"event": "<!channel>"}, "&lt;!channel&gt;"),
    ],
)
def test_a_note_under_the_card_tells_what_happened(body: dict[str, Any], words: str) -> None:
    assert words in tell("note", approval(), **body)


def test_the_last_note_holds_the_reason_and_what_was_changed() -> None:
    after = {**REQUEST.proposal, "amount": 1.0}
    told = tell("note", decided(decision(proposal=after, comment="less is enough")), event="decided")

    assert f"*Approved* by <@{BOB}>" in told
    assert "amount :  12400.0  →  1.0" in told
    assert "less is enough" in told


def test_the_requester_is_told_what_by_whom_why_and_where() -> None:
    told = tell("outcome", decided(decision("reject", comment="no budget")), permalink=LINK)

    assert "Your request *Pay Acme 12,400.00 USD*" in told
    assert f"*Rejected* by <@{BOB}>" in told
    assert "no budget" in told
    assert f"<{LINK}|The card>" in told


def test_a_decider_is_told_that_a_decision_was_not_used() -> None:
    assert "Your decision was not used" in tell("told", decided(decision()), event="superseded")
    assert "Your vote no longer counts" in tell("told", approval(), event="revised")
    refused = decided(decision(), closed_why="its check refused the answer (not even <!channel>)")
    told = tell("told", refused, event="superseded")
    assert "was not used: its check refused the answer (not even &lt;!channel&gt;). A new card asks" in told


def test_ops_are_told_what_is_wrong_with_which_thread_and_what_mends_it() -> None:
    told = tell("ops", approval(), problem="lost <!channel>", detail="invite me", command="signoff retry t1")

    assert "lost &lt;!channel&gt;" in told
    assert "invite me" in told
    assert "Once the cause is fixed: `signoff retry t1`" in told
    assert "Details: `signoff show t1`" in tell("ops", approval(), command="signoff show t1")
    assert "Workflow expense · Thread t1 · Approval a1" in told


def test_a_stray_copy_points_at_the_live_card_and_has_no_buttons() -> None:
    assert f"<{LINK}|the live card>" in tell("stray", approval(), permalink=LINK)
    assert "Please use the live card." in tell("stray", approval())


@pytest.mark.parametrize("link", ["javascript:x", "https://a|<!channel>", 7, None])
def test_what_is_no_web_address_is_no_link(link: Any) -> None:
    told = tell("outcome", decided(decision()), permalink=link)

    assert "The card" not in told
    assert "<!channel>" not in told


def test_notes_survive_without_their_rows() -> None:
    for kind in ("reminder", "escalation", "note", "outcome", "told", "ops", "stray"):
        judge(note(message(kind), None, None).blocks)


def test_a_card_is_not_a_note() -> None:
    with pytest.raises(ValueError, match="card is not a note"):
        note(message("card"), approval(), thread())
