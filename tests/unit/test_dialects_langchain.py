"""LangChain's middleware, read and answered; the integration tests ask the real one."""

from __future__ import annotations

import copy

import pytest
from deciding import answer, decided, timed_out
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.approvals.confidential import confidential, veiled
from bot.approvals.dialects import End, Resume, read
from bot.approvals.errors import BadAnswer, BadRequest
from bot.slack.form import Errors, Filled, form
from bot.slack.form import read as read_form

ALL = ["approve", "edit", "reject", "respond"]


def call(name="send_email", allowed=ALL, **args):
    return {"name": name, "args": args or {"to": "bob@example.com", "copies": 2}, "allowed": allowed}


def batch(*calls):
    return {
        "action_requests": [
            {
                "name": c["name"],
                "args": c["args"],
                "description": f"Tool execution requires approval\n\nTool: {c['name']}\nArgs: {c['args']}",
            }
            for c in calls
        ],
        "review_configs": [{"action_name": c["name"], "allowed_decisions": c["allowed"]} for c in calls],
    }


def decisions(asked, decision):
    return answer(asked, decision).value["decisions"]


# One action.


def test_one_action_asks_for_its_tool_with_its_arguments_as_the_proposal():
    asked = read(batch(call()))

    assert asked.dialect == "batched"
    assert asked.request.title == "Run send_email"
    assert asked.request.proposal == {"to": "bob@example.com", "copies": 2}
    assert asked.request.summary == "Tool execution requires approval", "the arguments are not told twice"
    assert set(asked.request.allow) == set(ALL)


@pytest.mark.parametrize("allowed", [["approve"], ["reject", "approve"], ["edit"], ["respond"]])
def test_one_action_offers_only_what_is_allowed(allowed):
    assert set(read(batch(call(allowed=allowed))).request.allow) == set(allowed)


def test_each_decision_on_one_action_is_worded_as_the_middleware_reads_it():
    asked = read(batch(call()))
    edited = {"to": "ann@example.com", "copies": 2}

    assert decisions(asked, decided(asked, "approve")) == [{"type": "approve"}]
    assert decisions(asked, decided(asked, "approve", proposal=edited)) == [
        {"type": "edit", "edited_action": {"name": "send_email", "args": edited}}
    ]
    assert decisions(asked, decided(asked, "reject")) == [{"type": "reject"}]
    assert decisions(asked, decided(asked, "reject", comment="no")) == [{"type": "reject", "message": "no"}]
    assert decisions(asked, decided(asked, "respond", text="done")) == [
        {"type": "respond", "message": "done"}
    ]


def test_a_timeout_is_rejected_without_being_told_as_a_persons_no():
    asked = read(batch(call()))
    (said,) = decisions(asked, timed_out(asked))

    assert said["type"] == "reject"
    assert "Nobody decided" in said["message"]


def test_a_timeout_where_the_agent_has_no_word_for_no_ends_the_thread():
    asked = read(batch(call(allowed=["approve", "edit"])))

    assert isinstance(answer(asked, timed_out(asked)), End)


def test_a_timeout_never_edits_its_way_round_an_approval_that_is_not_allowed():
    asked = read(batch(call(allowed=["edit"])))

    assert isinstance(answer(asked, timed_out(asked, "approve", forced=True)), End)


def test_an_edit_that_is_not_allowed_is_refused():
    asked = read(batch(call(allowed=["approve", "reject"])))

    with pytest.raises(BadAnswer, match="send_email may not be edited"):
        answer(asked, decided(asked, "approve", proposal={"to": "eve@example.com", "copies": 2}))


@pytest.mark.parametrize(("verdict", "said"), [("reject", {}), ("respond", {"text": "hi"}), ("choose", {})])
def test_a_decision_that_is_not_allowed_is_refused(verdict, said):
    asked = read(batch(call(allowed=["approve"])))

    with pytest.raises(BadAnswer, match="does not allow"):
        answer(asked, decided(asked, verdict, **said))


def test_an_answer_without_words_is_refused():
    asked = read(batch(call()))

    with pytest.raises(BadAnswer, match="needs words"):
        answer(asked, decided(asked, "respond", text="  "))


def test_an_edit_keeps_to_the_types_of_the_arguments():
    asked = read(batch(call()))

    with pytest.raises(BadAnswer, match="copies"):
        answer(asked, decided(asked, "approve", proposal={"to": "a@example.com", "copies": "two"}))


def test_a_known_schema_of_the_arguments_draws_and_checks_the_form():
    value = batch(call())
    schema = {"type": "object", "properties": {"to": {"type": "string"}, "copies": {"maximum": 3}}}
    value["review_configs"][0]["args_schema"] = schema
    asked = read(value)

    assert asked.request.proposal_schema == schema
    with pytest.raises(BadAnswer, match="maximum of 3"):
        answer(asked, decided(asked, "approve", proposal={"to": "a", "copies": 4}))


def test_a_number_that_the_database_wrote_differently_is_no_edit():
    asked = read(batch(call(amount=1e22)))
    decision = decided(asked, "approve").model_copy(update={"proposal": {"amount": 10**22}})

    assert decisions(asked, decision) == [{"type": "approve"}]


# Several.


def three():
    return read(
        batch(
            call(), call("wire", ["approve", "reject"], amount=5), call("ask", ["respond", "reject"], q="x")
        )
    )


def test_several_actions_are_one_card_with_a_form_that_decides_each():
    asked = read(batch(call(), call("wire", ["approve", "reject"], amount=5)))
    properties = asked.request.proposal_schema["properties"]

    assert asked.request.title == "Run 2 tools: send_email, wire"
    assert asked.request.allow == ("approve", "reject", "edit")
    assert properties["1-send_email"]["enum"] == ALL
    assert properties["2-wire"]["enum"] == ["approve", "reject"]
    assert properties["2-args-amount"]["readOnly"] is True, "what may not be edited is shown"
    assert asked.request.proposal["1-send_email"] == "approve"


def test_approve_all_and_reject_all_are_offered_only_where_every_action_allows_it():
    assert three().request.allow == ("reject", "edit")
    assert read(batch(call(), call(allowed=["respond"]))).request.allow == ("edit",)


def test_approve_all_and_reject_all_answer_every_action():
    asked = read(batch(call(), call("wire")))

    assert decisions(asked, decided(asked, "approve")) == [{"type": "approve"}] * 2
    assert (
        decisions(asked, decided(asked, "reject", comment="no")) == [{"type": "reject", "message": "no"}] * 2
    )


def test_each_decision_reaches_its_own_action():
    asked = three()
    filled = {
        **asked.request.proposal,
        "1-args-to": "ann@example.com",
        "2-wire": "reject",
        "2-words": "too much",
        "3-ask": "respond",
        "3-words": "blue",
    }

    assert decisions(asked, decided(asked, "approve", proposal=filled)) == [
        {
            "type": "edit",
            "edited_action": {"name": "send_email", "args": {"to": "ann@example.com", "copies": 2}},
        },
        {"type": "reject", "message": "too much"},
        {"type": "respond", "message": "blue"},
    ]


def test_the_same_tool_twice_is_told_apart_by_its_place():
    asked = read(batch(call(to="a"), call(to="b")))
    filled = {**asked.request.proposal, "2-send_email": "reject"}

    assert [d["type"] for d in decisions(asked, decided(asked, "approve", proposal=filled))] == [
        "approve",
        "reject",
    ]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"1-send_email": "delete"}, "1. send_email: decide approve or edit"),
        ({"2-wire": "edit"}, "2. wire: decide approve or reject"),
        ({"2-args-amount": 9}, "2. wire: its arguments may not be edited"),
        ({"3-ask": "respond"}, "needs words"),
        ({"4-more": "approve"}, "not part of what was asked"),
        ({"1-words": 5}, "words are not text"),
        ({"1-args-copies": "x"}, "copies"),
    ],
)
def test_what_does_not_fit_an_action_is_refused_by_name(changed, reason):
    asked = three()
    filled = {**asked.request.proposal, "3-ask": "reject", **changed}

    with pytest.raises(BadAnswer, match=reason):
        answer(asked, decided(asked, "approve", proposal=filled))


def test_an_action_that_nobody_decided_is_not_guessed():
    with pytest.raises(BadAnswer, match=r"3\. ask: decide"):
        answer(three(), decided(three(), "approve"))


def test_a_fallback_that_cannot_decide_every_action_ends_the_thread():
    assert isinstance(answer(three(), timed_out(three(), "approve")), End)
    asked = read(batch(call(), call(allowed=["approve"])))
    assert isinstance(answer(asked, timed_out(asked)), End)


def test_words_for_all_of_several_actions_are_refused():
    with pytest.raises(BadAnswer, match="decided one by one"):
        answer(three(), decided(three(), "respond", text="hm"))


def test_the_modal_shows_the_form_refuses_an_answer_without_words_and_gives_it_back_whole():
    asked = three()
    schema, value = asked.request.proposal_schema, {**asked.request.proposal, "3-ask": "reject"}
    labels = [block["label"]["text"] for block in form(schema, value) if block["type"] == "input"]

    assert labels[:3] == ["1. send_email", "1. send_email: to", "1. send_email: copies"]
    assert read_form(schema, value, {}) == Filled(value)
    assert isinstance(read_form(schema, {**value, "3-ask": "respond"}, {}), Errors)


def test_keys_stay_apart_whatever_tools_and_arguments_are_called():
    hostile = call("args-x", x="1", words="2", x_="3")
    asked = read(batch(hostile, call("words", words="4")))
    proposal = asked.request.proposal

    assert len(proposal) == 2 + 3 + 1
    filled = {key: "changed" if value in ("1", "4") else value for key, value in proposal.items()}
    said = decisions(asked, decided(asked, "approve", proposal=filled))
    assert [d["edited_action"] for d in said] == [
        {"name": "args-x", "args": {"x": "changed", "words": "2", "x_": "3"}},
        {"name": "words", "args": {"words": "changed"}},
    ]


@st.composite
def decided_batches(draw):
    calls = [
        call(
            draw(st.sampled_from(["wire", "words", "args-a", "send email"])),
            draw(st.lists(st.sampled_from(ALL), min_size=1, unique=True)),
            a=draw(st.integers(0, 9)),
            b=draw(st.sampled_from(["x", "y"])),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]
    return calls, [draw(st.sampled_from(c["allowed"])) for c in calls]


@settings(max_examples=80, deadline=None)
@given(decided_batches())
def test_any_allowed_decisions_come_back_in_number_order_and_kind(drawn):
    calls, wanted = drawn
    asked = read(batch(*calls))
    said = decisions(
        asked, decided(asked, *_filled(asked, calls, wanted)[:1], **_filled(asked, calls, wanted)[1])
    )

    assert [d["type"] for d in said] == wanted
    for c, d in zip(calls, said, strict=True):
        if d["type"] == "edit":
            assert d["edited_action"] == {"name": c["name"], "args": {**c["args"], "b": "edited"}}
        if d["type"] == "respond":
            assert d["message"] == "words"


def _filled(asked, calls, wanted):
    """What a person does to make those decisions: a button for one action, the form for several."""
    if len(calls) == 1:
        (verb,) = wanted
        edit = {**calls[0]["args"], "b": "edited"}
        return {
            "approve": ("approve", {}),
            "edit": ("approve", {"proposal": edit}),
            "reject": ("reject", {}),
            "respond": ("respond", {"text": "words"}),
        }[verb]
    properties = asked.request.proposal_schema["properties"]
    filled = dict(asked.request.proposal)
    decide = {key: told["enum"] for key, told in properties.items() if "enum" in told}
    for place, (key, verb) in enumerate(zip(decide, wanted, strict=True), 1):
        filled[key] = verb
        if verb == "edit":
            (text,) = (k for k in filled if k.startswith(f"{place}-args-b") and k != key)
            filled[text] = "edited"
        if verb == "respond":
            filled[f"{place}-words"] = "words"
    return "approve", {"proposal": filled}


def test_a_password_of_one_of_several_actions_is_one_in_their_form_and_in_no_complaint():
    value = batch(call("log_in", password="pw-1", proxy={"pin": "pw-2"}), call())
    told = {"password": {"format": "password", "minLength": 9}, "proxy": {"$ref": "#/$defs/proxy"}}
    proxy = {"properties": {"pin": {"format": "password"}}}
    value["review_configs"][0]["args_schema"] = {"properties": told, "$defs": {"proxy": proxy}}
    asked = read(value)
    request = asked.request

    assert "pw-" not in str(veiled(request.proposal, confidential(request.proposal_schema)))
    assert "pw-" not in str(form(request.proposal_schema, request.proposal))
    assert read_form(request.proposal_schema, request.proposal, {}) == Filled(request.proposal)
    with pytest.raises(BadAnswer, match="too short") as refused:
        answer(asked, decided(asked, "approve", proposal={**request.proposal, "1-args-password": "pw-3"}))
    assert "pw-3" not in str(refused.value)


# Broken and hostile.


@pytest.mark.parametrize(
    "change",
    [
        {"action_requests": []},
        {"action_requests": "x"},
        {"action_requests": [None]},
        {"action_requests": [{"name": "", "args": {}}]},
        {"action_requests": [{"name": "x" * 500, "args": {}}]},
        {"action_requests": [{"name": "send_email", "args": "to=bob"}]},
        {"review_configs": []},
        {"review_configs": None},
        {"review_configs": [{"action_name": "other", "allowed_decisions": ALL}]},
        {"review_configs": [{"action_name": "send_email", "allowed_decisions": []}]},
        {"review_configs": [{"action_name": "send_email", "allowed_decisions": ["obliterate"]}]},
        {"review_configs": [{"action_name": "send_email", "allowed_decisions": "approve"}]},
        {"action_requests": [{"name": "send_email", "args": {"x": object()}}]},
    ],
)
def test_a_broken_batch_is_refused_rather_than_taken_for_something_else(change):
    with pytest.raises(BadRequest):
        read({**batch(call()), **change})


def test_review_configs_may_stand_once_for_each_tool():
    value = batch(call("a"), call("b", ["approve"]), call("a"))
    value["review_configs"] = [
        {"action_name": "b", "allowed_decisions": ["approve"]},
        {"action_name": "a", "allowed_decisions": ["reject"]},
    ]
    properties = read(value).request.proposal_schema["properties"]

    assert [properties[key]["enum"] for key in ("1-a", "2-b", "3-a")] == [["reject"], ["approve"], ["reject"]]


def test_configs_that_differ_for_one_tool_must_stand_by_their_place():
    value = batch(call("a"), call("b"))
    value["review_configs"] = [{"action_name": "a", "allowed_decisions": [d]} for d in ("approve", "reject")]
    value["review_configs"].append({"action_name": "b", "allowed_decisions": ["approve"]})

    with pytest.raises(BadRequest, match="'a' allows"):
        read(value)


def test_a_decision_of_a_later_release_is_left_out():
    asked = read(batch(call(allowed=["approve", "defer"])))

    assert asked.request.allow == ("approve",)


def test_hostile_arguments_come_through_untouched():
    args = {"<!channel>": "<@U1> ``` *x*", "deep": {"a": [{"b": [1, {"c": None}]}]}, "": "empty"}
    asked = read(batch(call("a", **args), call("b")))
    filled = {**asked.request.proposal, "2-b": "reject"}

    assert decisions(asked, decided(asked, "approve", proposal=filled))[0] == {"type": "approve"}
    assert (
        args.items()
        == {k.removeprefix("1-args-"): v for k, v in filled.items() if k.startswith("1-args")}.items()
    )


def test_arguments_too_large_to_ask_about_are_refused():
    with pytest.raises(BadRequest, match="bytes"):
        read(batch(call(text="x" * 600_000)))


# One call at a time.

SCHEMA = {
    "$defs": {
        "Approve": {"properties": {"type": {"const": "approve"}}, "required": ["type"], "type": "object"},
        "Edit": {
            "properties": {"type": {"const": "edit"}, "edited_action": {"$ref": "#/$defs/Edited"}},
            "required": ["type", "edited_action"],
        },
        "Edited": {"properties": {"name": {"const": "wire"}, "args": {"$ref": "#/$defs/wire"}}},
        "wire": {
            "type": "object",
            "properties": {"amount": {"type": "number"}, "to": {"$ref": "#/$defs/To"}},
            "required": ["amount", "to"],
        },
        "To": {"type": "string", "minLength": 2},
    },
    "oneOf": [{"$ref": "#/$defs/Approve"}, {"$ref": "#/$defs/Edit"}],
}
WIRE = {
    "type": "tool_approval",
    "tool_call_id": "c1",
    "name": "wire",
    "args": {"amount": 5, "to": "acme"},
    "description": "Move money",
}


def test_a_call_is_asked_with_what_its_schema_allows_and_the_tools_own_arguments():
    asked = read(WIRE, SCHEMA)

    assert asked.dialect == "per_call"
    assert (asked.request.title, asked.request.summary) == ("Run wire", "Move money")
    assert asked.request.allow == ("approve", "edit")
    assert asked.request.proposal_schema["required"] == ["amount", "to"]


def test_a_call_is_answered_with_one_decision():
    asked = read(WIRE, SCHEMA)
    args = {"amount": 7.5, "to": "acme"}

    assert answer(asked, decided(asked, "approve")) == Resume({"type": "approve"})
    assert answer(asked, decided(asked, "approve", proposal=args)) == Resume(
        {"type": "edit", "edited_action": {"name": "wire", "args": args}}
    )


@pytest.mark.parametrize("args", [{"amount": "much", "to": "acme"}, {"amount": 5}, {"amount": 5, "to": "a"}])
def test_an_edit_that_the_tool_would_refuse_is_refused_before_it_is_sent(args):
    asked = read(WIRE, SCHEMA)

    with pytest.raises(BadAnswer, match="The edit of wire does not fit"):
        answer(asked, decided(asked, "approve", proposal=args))


def test_a_call_without_its_schema_is_not_answered_by_guess():
    with pytest.raises(BadRequest, match="response_schema"):
        read(WIRE)


def test_a_schema_that_edits_another_tool_is_refused():
    other = copy.deepcopy(SCHEMA)
    other["$defs"]["Edited"]["properties"]["name"]["const"] = "delete_all"

    with pytest.raises(BadRequest, match="another tool"):
        read(WIRE, other)
