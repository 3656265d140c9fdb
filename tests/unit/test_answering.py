"""What is kept of a pause judges an answer as the engine will, without the workflow's own code."""

import json

import pytest
from deciding import answer, decided, timed_out
from slack_rows import NOW

from bot.approvals import Fallback
from bot.approvals.dialects import Answering, End, Resume, read
from bot.approvals.errors import BadAnswer
from bot.approvals.timeout import NEVER_DELIVERED, fell_short
from bot.approvals.timeout import timed_out as by_clock

CALL = {"name": "wire", "args": {"amount": 5, "to": "acme"}, "description": "Pay"}
ALL = ["approve", "edit", "reject", "respond"]
TWO = {
    "action_requests": [CALL, CALL],
    "review_configs": [{"action_name": "wire", "allowed_decisions": ALL}] * 2,
}
LONG_WORDS = {"type": "string", "minLength": 10}
ASKS = {
    "signoff": ({"signoff": 1, "title": "Pay?"}, None),
    "batched": (TWO, None),
    "inbox": ({"action_request": {"action": "wire", "args": {}}, "config": {"allow_accept": True}}, None),
    "schema": ("Which?", LONG_WORDS),
    "plain": ({"question": "Pay?", "much": "x" * 1000}, None),
    "raw": (float("nan"), None),
}


def kept(asked, expected=None):
    """What a worker keeps of a pause, as a listener reads it."""
    stored = json.loads(json.dumps(Answering.to(asked, expected).to_json()))
    return Answering.of(asked.dialect, stored)


@pytest.mark.parametrize("name", ASKS)
@pytest.mark.parametrize("expected", [None, "dict", "bool", "text"])
@pytest.mark.parametrize("verdict", ["approve", "reject", "respond", "choose"])
def test_what_was_kept_judges_as_the_engine_does(name, expected, verdict):
    asked = read(*ASKS[name])

    def judged(by):
        try:
            return by()
        except BadAnswer as error:
            return str(error)

    for decision in (decided(asked, verdict, text="a few words"), timed_out(asked, verdict)):
        here = judged(lambda decision=decision: kept(asked, expected).judge(decision))
        assert here == judged(lambda decision=decision: answer(asked, decision, expected))


def test_only_what_answers_are_made_from_is_kept():
    assert "xxx" not in json.dumps(Answering.to(read(*ASKS["plain"]), None).to_json())
    assert kept(read(*ASKS["batched"])).original.value == TWO


def test_nothing_is_judged_of_an_approval_from_before():
    assert Answering.of("plain", None) is None


def test_a_declared_function_is_never_run_here():
    def reply(decision):
        raise AssertionError("this is the workflow's own code")

    plain, schema = kept(read("Pay?"), reply), kept(read("Which?", LONG_WORDS), reply)

    assert plain.judge(decided(read("Pay?"), "approve")) is None
    assert schema.judge(decided(read("Pay?"), "reject")) is None
    with pytest.raises(BadAnswer, match="does not fit"):
        schema.judge(decided(read("Pay?"), "respond", text="short"))


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"1-wire": "perhaps"}, "1-wire"),
        ({"2-wire": "respond"}, "2-words"),
        ({"2-args-amount": "much"}, "2-args-amount"),
    ],
)
def test_what_does_not_fit_names_its_field_of_the_form(changed, key):
    asked = read(TWO)
    form = asked.request.proposal | changed

    with pytest.raises(BadAnswer) as refused:
        kept(asked).judge(decided(asked, "approve", proposal=form))

    assert refused.value.key == key


def test_a_missing_field_is_named_too():
    schema = {"type": "object", "properties": {"cap": {}, "law": {}}, "required": ["law", "cap"]}
    asked = read("Terms?", schema)

    with pytest.raises(BadAnswer) as refused:
        kept(asked).judge(decided(asked, "approve", proposal={"law": "German"}))

    assert refused.value.key == "cap"


def test_a_yes_or_no_that_takes_no_no_is_not_answered_with_one():
    asked = read("Really?", {"type": "boolean", "const": True})

    assert kept(asked).judge(decided(asked, "approve")) == Resume(value=True)
    assert isinstance(kept(asked).judge(decided(asked, "reject")), End)


@pytest.mark.parametrize(
    ("value", "schema", "expected", "ending"),
    [
        ("Pay?", None, None, {"reject", "respond"}),
        ("Pay?", None, "dict", set()),
        ("Pay?", None, lambda decision: None, set()),
        (float("nan"), None, None, {"reject", "respond"}),
        ("Which?", {"type": "string"}, None, {"reject"}),
        ("Which?", {"type": "string"}, lambda decision: None, set()),
        ("Really?", {"type": "boolean"}, None, set()),
        (TWO, None, None, set()),
    ],
)
def test_a_graph_that_has_no_word_for_a_verdict_ends_by_it(value, schema, expected, ending):
    asked = read(value, schema)
    verdicts = {"approve", "reject", "respond"} & {*asked.request.allow}

    assert {verdict for verdict in verdicts if kept(asked, expected).ends(verdict)} == ending


@pytest.mark.parametrize(
    ("value", "schema", "expected", "telling"),
    [
        ("Pay?", None, None, {"approve"}),
        ("Pay?", None, "dict", {"approve", "reject", "respond"}),
        ("Pay?", None, "bool", set()),
        ("Pay?", None, "text", {"respond"}),
        ("Pay?", None, lambda decision: None, {"approve", "reject", "respond"}),
        ({"signoff": 1, "title": "Pay?"}, None, None, {"approve", "reject"}),
        ("Really?", {"type": "boolean"}, None, set()),
        ({**TWO, "action_requests": [CALL]}, None, None, {"reject", "respond"}),
    ],
)
def test_it_says_whether_a_graph_gets_what_a_person_writes_beside_a_verdict(value, schema, expected, telling):
    asked = read(value, schema)
    verdicts = {"approve", "reject", "respond"} & {*asked.request.allow}

    assert {verdict for verdict in verdicts if kept(asked, expected).tells(verdict)} == telling


@pytest.mark.parametrize(
    ("name", "expected", "fallback", "short"),
    [
        ("signoff", None, Fallback.approve(), False),
        ("signoff", None, Fallback.choose("x"), True),
        ("plain", None, Fallback.as_drafted(), True),
        ("plain", None, Fallback.reject(), False),
        ("plain", "dict", Fallback.as_drafted(), False),
        ("raw", "dict", Fallback.approve(), True),
        ("schema", None, Fallback.as_drafted(), True),
        ("batched", None, Fallback.approve(), False),
    ],
)
def test_a_fallback_that_is_no_answer_comes_to_a_no(name, expected, fallback, short):
    asked = read(*ASKS[name])
    how = {"delivered": True, "at": NOW, "answering": kept(asked, expected)}

    decision = by_clock(asked.request, fallback, **how)

    assert fell_short(decision, fallback) is short
    assert decision.rejected is (short or fallback.kind == "reject")
    assert decision.by.kind == "timeout"


def test_what_was_never_delivered_is_rejected_for_that_and_no_fallback_fell_short():
    asked, fallback = read(*ASKS["signoff"]), Fallback.as_drafted()

    decision = by_clock(asked.request, fallback, delivered=False, at=NOW)

    assert (decision.rejected, decision.reason) == (True, NEVER_DELIVERED)
    assert not fell_short(decision, fallback)
