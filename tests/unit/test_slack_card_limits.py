"""Whatever a workflow or a model wrote: the card obeys Slack, keeps its buttons and mentions nobody."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_rows import (
    ANA,
    BOB,
    EVE,
    GROUPS,
    NOW,
    PENDING,
    actions,
    approval,
    inbox,
    judge,
    judge_view,
    states,
    thread,
    vote,
)

from bot.approvals.canonical import canonical
from bot.approvals.request import ApprovalRequest, Option
from bot.postgres.inbox import Item
from bot.slack.blocks.drawn import Drawn
from bot.slack.cards.card import CardView, card
from bot.slack.token import Token
from bot.slack.views.home import home
from bot.slack.views.modals import approve_note_modal, edit_modal, taken_modal, whole_modal

HOSTILE = (
    "<!channel>",
    "<!here|x>",
    "<@U0HACK001>",
    "<!subteam^S0HACK001>",
    "<https://evil.example|https://bank.example>",
    "[bank](https://evil.example)",
    "@channel",
    "*_~`",
    "```",
    "&lt;!channel&gt;",
    "&",
    "\u202e\u200b\u2066",
    "\x07\x1b[31m",
    "\U0001f469\u200d\U0001f680" * 40,
    "e\u0301\u0302\u0303\u0304\u0305\u0306",
    "\n> ",
    "# ",
    "x" * 4000,
)
words = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30)), max_size=6).map("".join)
valid = words.map(lambda text: text.replace("\x00", "").encode("utf-8", "ignore").decode())
titles = valid.map(lambda text: (text.strip() or "x")[:2000])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), valid),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(valid, inner, max_size=6)),
    max_leaves=15,
).filter(lambda value: "inf" not in json.dumps(value).lower())
urls = st.sampled_from(
    ["https://x.example/" + "a" * 5000, "http://a b<!channel>|c", "https://ok.example/?a=1&b=2"]
)


@st.composite
def requests(draw: Any) -> ApprovalRequest:
    options = draw(st.lists(st.tuples(titles, valid), max_size=8))
    proposal = draw(st.one_of(st.dictionaries(valid, values, max_size=8), values))
    allow = draw(st.sets(st.sampled_from(["approve", "reject", "respond", "edit"])))
    if not isinstance(proposal, dict):
        allow.discard("edit")
    return ApprovalRequest(
        title=draw(titles),
        summary=draw(valid),
        fields=draw(st.dictionaries(valid, valid, max_size=14)),
        links=draw(st.dictionaries(valid, urls, max_size=12)),
        proposal=proposal,
        allow=tuple(sorted(allow)),
        options=[
            Option(id=f"o{n}", label=label[:500], description=about[:2000])
            for n, (label, about) in enumerate(options)
        ],
        risk=draw(st.sampled_from(["low", "high"])),
        destructive=draw(st.booleans()),
    )


def draw_card(shown: Any) -> Drawn:
    view = CardView(
        approval=shown,
        thread=thread(error="<!channel> failed", cancel_reason="<!here> no", result="<!channel>"),
        now=NOW,
        message_id="card:a1",
        version=1,
        votes=(vote(EVE),),
        groups=GROUPS,
    )
    return card(view)


OURS = {f"<@{ANA}>", f"<@{BOB}>", f"<@{EVE}>", "<!subteam^S01FINMGR>"}


def interpreted(value: Any) -> list[str]:
    """Return the texts in which Slack looks for mentions and links."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            return [value["text"]]
        return [text for item in value.values() for text in interpreted(item)]
    return [text for item in value for text in interpreted(item)] if isinstance(value, list) else []


def mentions(drawn: Drawn) -> set[str]:
    found = {m for text in [drawn.text, *interpreted(drawn.blocks)] for m in re.findall(r"<[^>]*>", text)}
    people = re.findall(r"'user_id': '(\w+)'", str(drawn.blocks))
    return {m for m in found if not m.startswith("<!date^")} | {f"<@{user}>" for user in people}


def expected(request: ApprovalRequest) -> set[str]:
    wanted = {f"signoff.{action}" for action in request.allow}
    if request.options:
        few = len(request.options) <= 5
        wanted |= {f"signoff.choose.{n}" for n in range(len(request.options))} if few else {"signoff.choose"}
    return wanted


DECIDING = re.compile(r"signoff\.(approve|reject|edit|respond|choose.*|more)")


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests())
def test_any_content_in_any_state_keeps_the_limits_the_buttons_and_the_peace(
    request_: ApprovalRequest,
) -> None:
    canonical(request_.payload())
    for state, shown in states(request_).items():
        drawn = draw_card(shown)
        judge(drawn.blocks)
        assert mentions(drawn) <= OURS, state
        assert 0 < len(drawn.text.encode()) < 4000
        deciding = {name for name in actions(drawn.blocks) if DECIDING.fullmatch(name)}
        assert deciding - {"signoff.more"} == (expected(request_) if state in PENDING else set()), state


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(), st.integers(-1, 9))
def test_any_content_fits_the_modals_and_the_home(request_: ApprovalRequest, page: int) -> None:
    shown, token = approval(request_), Token("a1", 1)
    judge_view(whole_modal(shown, page))
    judge_view(approve_note_modal(token, shown, thread()))
    judge_view(taken_modal(shown, BOB, {"Proposal": request_.proposal}))
    if isinstance(request_.proposal, dict):
        judge_view(edit_modal(token, shown, thread()))
    item = Item(shown, thread())
    view = home(inbox(waiting=(item,) * 30, asked=(item,) * 30, recent=(item,) * 30), {})
    judge_view(view)
    assert mentions(Drawn("x", view["blocks"])) <= OURS


@pytest.mark.parametrize(
    "proposal",
    [
        {f"field {n}": f"value {n}" for n in range(500)},
        {"a": {"b": [{"c": {"d": list(range(3000))}}]}},
        {"text": "x" * 400_000},
        {"rtl": "\u202e" * 5000},
        {},
        "",
        [],
        [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    ],
)
def test_huge_deep_and_empty_proposals_keep_the_buttons(proposal: Any) -> None:
    shown = approval(ApprovalRequest(title="x" * 2000, proposal=proposal))
    drawn = draw_card(shown)

    judge(drawn.blocks)
    assert {"signoff.approve", "signoff.reject"} <= set(actions(drawn.blocks))
    for page in range(0, 200, 33):
        judge_view(whole_modal(shown, page))


@pytest.mark.parametrize("many", [1, 20, 40])
def test_a_card_is_cut_where_slack_would_not_take_all_its_blocks_together(many: int) -> None:
    fields = {f"field {n}": f"the value that was given for {n}" for n in range(many)}
    request_ = ApprovalRequest(
        title="T" * 2000,
        summary="**bold** `code` " * 90,
        fields={f"Fact {n}": "something that matters" * 3 for n in range(many)},
        links={f"Link {n}": f"https://x.example/{n}/" + "a" * 900 for n in range(min(many, 30))},
        options=[Option(id=f"o{n}", label=f"Option {n}", description="d" * 100) for n in range(many)],
        proposal=fields,
        allow=("approve", "reject", "edit"),
    )
    edited = {key: f"{value}, changed" for key, value in fields.items()}
    drawn = draw_card(approval(request_, proposal=edited, edited_by=ANA))

    judge(drawn.blocks)
    assert {"signoff.approve", "signoff.reject", "signoff.whole"} <= set(actions(drawn.blocks))
    assert "the value that was given for 0" in str(drawn.blocks)


def test_an_update_in_any_script_has_a_fallback_that_slack_takes() -> None:
    drawn = draw_card(approval(ApprovalRequest(title="\u652f\u6255" * 1000, proposal={"a": "\u652f" * 3000})))

    assert len(drawn.text.encode()) < 4000
    assert f"<@{ANA}>" in drawn.text


@pytest.mark.parametrize("url", ["https://", "https://[::1", "http:///x", "https://<x>", "https://?x"])
def test_an_address_without_a_host_is_shown_and_no_link(url: str) -> None:
    drawn = draw_card(approval(ApprovalRequest(title="Look", links={"Invoice": url}, proposal={"a": 1})))

    judge(drawn.blocks)
    assert "'type': 'link'" not in str(drawn.blocks)
    assert url in str(drawn.blocks)


def test_what_cannot_be_seen_is_marked_or_escaped() -> None:
    shown = approval(
        ApprovalRequest(title="Pay pay\u200bpal", proposal={"to": {"in": {"account": "12\u202e34"}}})
    )
    blocks = str(draw_card(shown).blocks)

    assert "Pay pay\ufffdpal" in blocks
    assert "\\\\u202e" in blocks


def test_a_hundred_named_approvers_are_mentioned_within_a_section() -> None:
    many = tuple(f"U{n:020d}" for n in range(200))
    drawn = draw_card(approval(policy=approval().policy.model_copy(update={"approvers": many})))

    judge(drawn.blocks)
    assert len(re.findall(r"<@U0{10}", str(drawn.blocks))) == 100
    assert "100 more" in str(drawn.blocks)
