"""The App Home, `/approvals` and the digest: lists that say what waits and lose nothing silently."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from slack_rows import (
    BOB,
    GROUPS,
    NOW,
    actions,
    approval,
    decided,
    decision,
    inbox,
    judge,
    judge_view,
    read,
    thread,
    vote,
)

from bot.approvals.digest import TOPICS, Digest, Line
from bot.approvals.request import ApprovalRequest
from bot.postgres.inbox import Item
from bot.slack.messages.digest import pages
from bot.slack.views.command import Startable, help_text, lists, not_started, started
from bot.slack.views.home import home

LINK = "https://slack.example/archives/C1/p1"
OPEN = Item(approval(), thread(), (vote(BOB),), LINK)
SETTLED = Item(decided(decision()), thread(status="done"), (), LINK)


def test_home_shows_what_waits_with_the_same_buttons_as_the_card() -> None:
    view = home(inbox(waiting=(OPEN,), asked=(OPEN,), recent=(SETTLED,)), GROUPS)

    judge_view(view)
    shown = read(view)
    assert actions(view["blocks"])[:3] == ["signoff.approve", "signoff.reject", "signoff.edit"]
    assert f"<{LINK}|Pay Acme 12,400.00 USD>" in shown
    assert f"Approved by <@{BOB}> · 1 of 2 needed" in shown
    assert shown.count("Needs *2 approvals* by <!subteam^S01FINMGR>") == 2, (
        "who decides here should know, too"
    )
    assert f"*Approved* by <@{BOB}>" in shown
    assert "Updated <!date^" in shown


def test_an_empty_home_teaches() -> None:
    view = home(inbox(), {})

    judge_view(view)
    assert "Nothing waits for you" in read(view)
    assert actions(view["blocks"]) == []


def test_a_full_home_fits_and_counts_what_it_leaves_out() -> None:
    view = home(inbox(waiting=(OPEN,) * 40, asked=(OPEN,) * 40, recent=(SETTLED,) * 40), {})

    judge_view(view)
    assert "And 28 more approvals" in read(view)
    assert "Updated" in read(view)
    assert actions(view["blocks"]).count("signoff.approve") == 12


def test_home_offers_everything_where_it_showed_only_a_part() -> None:
    for cut in (
        {"summary": "x " * 1000},
        {"summary": "a\tb" * 200},
        {"title": "long " * 50},
        {"title": "\n> x" * 40},
    ):
        long = Item(approval(ApprovalRequest(**{"title": "Read"} | cut)), thread())

        assert "signoff.whole" in actions(home(inbox(waiting=(long,)), {})["blocks"])


def test_the_inbox_lists_both_sides_and_has_no_buttons() -> None:
    answer = lists(inbox(waiting=(OPEN,)))

    judge(answer.blocks)
    assert actions(answer.blocks) == []
    assert f"<{LINK}|Pay Acme 12,400.00 USD>" in read(answer.blocks)
    assert "You have asked for nothing that is still open." in read(answer.blocks)
    assert answer.text == "1 approval waiting for you"


def test_a_long_inbox_fits_and_leads_to_the_home() -> None:
    answer = lists(inbox(waiting=(OPEN,) * 40, asked=(OPEN,) * 40))

    judge(answer.blocks)
    assert "And 25 more; their cards are in their channels." in read(answer.blocks)


def test_answers_in_any_script_are_short_enough_for_an_acknowledgement() -> None:
    long = Item(approval(ApprovalRequest(title="\u652f\u6255" * 1000)), thread(), permalink=LINK)
    offers = [Startable("expense", "\u652f\u6255" * 1000, tuple(f"field_{n}" for n in range(30)))] * 20
    full = inbox(waiting=(long,) * 40, asked=(long,) * 40)
    answers = (lists(full), help_text(offers), not_started("\u652f" * 5000, offers))

    for answer in answers:
        assert len(json.dumps([answer.text, answer.blocks])) < 16_000
        judge(answer.blocks)
    assert all("And " in read(answer.blocks) for answer in answers)


def test_help_names_what_can_be_started() -> None:
    answer = help_text([Startable("expense", "Pay a claim", ("amount", "vendor"))] * 20)

    judge(answer.blocks)
    assert "*expense*: Pay a claim\nInput: amount and vendor" in read(answer.blocks)
    assert "And 5 more workflows." in read(answer.blocks)


def test_a_word_that_approvals_does_not_know_is_named_above_the_help() -> None:
    answer = help_text([], "lsit <!here>")

    judge(answer.blocks)
    assert answer.text == "“lsit &lt;!here&gt;” is not something that /approvals knows."
    assert "`/approvals help`" in read(answer.blocks)


def test_a_start_is_confirmed_or_refused_with_the_reason() -> None:
    assert "Started expense for you." in started("expense", "t1").text
    refused = not_started("amount: <!channel> is no number", [Startable("expense")])
    judge(refused.blocks)
    assert "Nothing was started: amount: &lt;!channel&gt; is no number" in read(refused.blocks)


def line(topic: str = "expired", n: int = 1, **changes: object) -> Line:
    values = {
        "topic": topic,
        "title": f"Request {n}",
        "workflow": "expense",
        "thread_id": f"t{n}",
        "note": "nobody answered: rejected",
        "at": NOW,
        "permalink": LINK,
        "command": f"signoff show t{n}",
    }
    return Line.model_validate(values | changes)


def digest(*lines: Line) -> Digest:
    return Digest(since=NOW - timedelta(days=1), made_at=NOW, until=NOW + timedelta(hours=8), lines=lines)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_digest_line_says_what_where_and_what_mends_it(topic: str) -> None:
    (page,) = pages(digest(line(topic)))

    judge(page.blocks)
    shown = read(page.blocks)
    assert f"<{LINK}|Request 1>" in shown
    assert "expense · thread t1 · nobody answered: rejected" in shown
    assert "Details: `signoff show t1`" in shown


def test_a_digest_line_names_the_command_that_mends_it() -> None:
    (page,) = pages(digest(line("stuck", command="signoff retry t1")))

    assert "Once the cause is fixed: `signoff retry t1`" in read(page.blocks)


def test_an_empty_digest_says_so() -> None:
    (page,) = pages(digest())

    judge(page.blocks)
    assert "Nothing expired" in page.text


def test_a_long_digest_pages_and_leaves_nothing_out() -> None:
    lines = [line(topic, n, title=f"Request {topic} {n} " + "x" * 500) for topic in TOPICS for n in range(60)]
    drawn = pages(digest(*lines), [f"digest:1:{n}" for n in range(200)])

    shown = ""
    for n, page in enumerate(drawn):
        judge(page.blocks)
        assert f"page {n + 1} of {len(drawn)}" in page.text
        assert page.metadata == {
            "event_type": "signoff_message",
            "event_payload": {"message_id": f"digest:1:{n}"},
        }
        shown += read(page.blocks)
    assert len(drawn) > 1
    for topic in TOPICS:
        for n in range(60):
            assert shown.count(f"Request {topic} {n} ") == 1


def test_a_digest_comes_back_from_json_and_draws_the_same() -> None:
    made = digest(line(), line("stuck", 2, title="<!channel>", permalink="https://x|<!here>"))
    (page,) = pages(Digest.model_validate_json(made.model_dump_json()))

    assert page == pages(made)[0]
    assert "<!" not in read(page.blocks).replace("<!date^", "")
