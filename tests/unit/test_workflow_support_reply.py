from __future__ import annotations

import pytest
from pydantic import ValidationError

from bot.testing import Run
from workflows import support_reply, support_reply_static, support_reply_strict
from workflows.support_replies.compliance import breaches, without_breaches
from workflows.support_replies.draft import SupportCase, drafted, topic_of
from workflows.support_reply import samples

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture(params=[support_reply.workflow, support_reply_static.workflow], ids=["asking", "static"])
def form(request):
    """The same graph: its officer's node asks, or it is stopped before that node."""
    return request.param


@pytest.fixture
def started(signoff, form):
    signoff.group("@compliance", "U06CLEO")

    def started(sample: str, workflow=form) -> Run:
        return signoff.start(workflow, samples[sample])

    return started


def rules(text: str) -> list[str]:
    return [flag.rule for flag in breaches(text)]


def test_a_draft_that_breaks_no_rule_goes_out_unasked(started, ledger):
    run = started("sign-in")

    assert not run.pauses
    assert (run.state["result"], run.state["escalated"]) == ("sent", False)
    (reply,) = ledger.effects
    assert reply.key == f"{run.thread_id}:reply"
    assert "Trouble signing in" in reply.data["text"]


def test_a_flagged_draft_waits_for_an_officer_with_the_reasons(started, ledger):
    run = started("advice")

    request = run.request
    assert run.state["escalated"] is True
    assert ledger.effects == []
    for reason in (
        "names a competitor (Brightbank)",
        "personal advice",
        "promises what nobody can (Guaranteed)",
    ):
        assert reason in request.summary
    assert set(request.allow) == {"approve", "edit", "reject", "respond"}
    assert request.proposal_schema["properties"]["text"]["maxLength"] == 3000


def test_an_officer_approves_and_the_draft_goes_out_closing_the_escalation(started, ledger):
    run = started("refund")
    text = run.request.proposal["text"]

    run.approve(by="U06CLEO")

    assert (run.state["result"], run.state["escalated"]) == ("sent", False)
    assert run.state["outcome"] == "Sent: approved by U06CLEO."
    sent = ledger.effects[0].data
    assert (sent["text"], sent["forced"]) == (text, False)
    assert sent["breaks"] == ["refunds 240.00, above the limit of 100.00"]


def test_an_officer_edits_and_the_edit_goes_out(started, ledger):
    run = started("refund")

    run.edit({"text": "We will refund EUR 80.00 and call you."}, by="U06CLEO")

    assert run.state["outcome"] == "Sent: approved by U06CLEO, after edits."
    assert ledger.effects[0].data["text"] == "We will refund EUR 80.00 and call you."
    assert ledger.effects[0].data["breaks"] == []


def test_an_officer_rejects_and_nothing_goes_out(started, ledger):
    run = started("advice")

    run.reject("call the customer", by="U06CLEO")

    assert (run.state["result"], run.state["escalated"]) == ("withheld", False)
    assert run.state["outcome"] == "Withheld: rejected by U06CLEO: call the customer."
    assert ledger.effects == []


def test_an_answer_in_words_steers_the_draft_and_is_asked_about_again(started, ledger):
    run = started("advice")

    run.respond("An adviser will call you this week.", by="U06CLEO")

    assert ledger.effects == []
    assert run.state["escalated"] is True
    text = run.request.proposal["text"]
    assert "An adviser will call you this week." in text
    assert text.startswith("Dear Tom Baker,")
    assert text.endswith("your support team")
    assert "Guaranteed" not in text
    assert "Brightbank" not in text
    assert "Redrafted as told: An adviser will call you this week." in run.request.summary

    run.approve(by="U06CLEO")
    assert ledger.effects[0].data["text"] == text


def test_the_officers_own_words_are_held_against_the_rules_too(started):
    run = started("advice")
    run.respond("You cannot lose.", by="U06CLEO")
    assert "promises what nobody can (cannot lose)" in run.request.summary


def test_unanswered_the_draft_goes_out_marked_as_forced(started, ledger):
    run = started("advice")
    text = run.request.proposal["text"]

    run.time_out()

    assert (run.state["result"], run.state["escalated"]) == ("sent as drafted", False)
    assert "unseen by an officer: nobody answered in time" in run.state["outcome"]
    sent = ledger.effects[0].data
    assert (sent["text"], sent["forced"], sent["reason"]) == (text, True, "sla_timeout")


def test_unanswered_the_strict_declaration_withholds_it(started, ledger):
    run = started("advice", support_reply_strict.workflow)

    run.time_out()

    assert (run.state["result"], run.state["escalated"]) == ("withheld", False)
    assert run.state["outcome"] == "Withheld: nobody answered in time."
    assert ledger.effects == []


def test_an_approved_answer_that_is_empty_is_withheld(careless_form, started, ledger):
    run = started("advice")
    run.edit({"text": ""}, by="U06CLEO")
    assert run.state["outcome"] == "Withheld: what was approved is not a valid answer."
    assert ledger.effects == []


def test_a_second_run_of_sending_sends_once(started, ledger):
    run = started("refund")
    run.approve(by="U06CLEO")

    run.again("send")

    assert ledger.attempts == 2
    assert len(ledger.effects) == 1


def test_a_run_that_starts_again_asks_for_the_same(started):
    run = started("card-number", support_reply.workflow)
    run.ask_again()


def test_both_declarations_run_one_graph_and_differ_in_their_fallback_alone():
    loose, strict = support_reply.workflow, support_reply_strict.workflow
    assert (loose.name, strict.name) == ("support_reply", "support_reply_strict")
    assert (loose.sla.fallback.kind, strict.sla.fallback.kind) == ("as_drafted", "reject")
    assert loose.sla.model_copy(update={"fallback": strict.sla.fallback}) == strict.sla
    assert (loose.graph, loose.policy, loose.channel) == (strict.graph, strict.policy, strict.channel)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("Returns are guaranteed.", ["promise"]),
        ("We cannot guarantee anything", []),
        ("Opening hours are from 9 to 5.", []),
        ("You should invest now.", ["advice"]),
        ("You should invest now. This is not financial advice.", []),
        ("We will refund you EUR 100.00.", []),
        ("We will refund you EUR 100.01.", ["refund"]),
        ("A refund of €1,250 is on its way.", ["refund"]),
        ("Your invoice is EUR 900.00.", []),
        ("Unlike kestrel pay, we answer.", ["competitor"]),
        ("Card 4111 1111 1111 1111 was declined.", ["personal data"]),
        ("Card 4111-1111-1111-1111 12/27, code 123", ["personal data"]),
        ("See 12 4111 1111 1111 1111 123", ["personal data"]),
        ("Card 4111 1111 1111 1112 was declined.", []),
        ("From DE89 3704 0044 0532 0130 00 to you", ["personal data"]),
        ("from de89370400440532013000", ["personal data"]),
        ("From DE88 3704 0044 0532 0130 00 to you", []),
        ("Your ticket is 20261120-4471.", []),
    ],
)
def test_the_rules(text, broken):
    assert rules(text) == broken


def test_a_reason_never_repeats_the_personal_data():
    (flag,) = breaches("Card 4111 1111 1111 1111 was declined.")
    assert flag.reason == "repeats a card number (ending 1111)"


def test_what_is_left_without_its_breaches_breaks_nothing():
    text = "Dear A,\n\nit is guaranteed.\n\nBrightbank is worse.\n\nBye"
    assert without_breaches(text) == "Dear A,\n\nBye"


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        ("You charged me twice", "refund"),
        ("Should I invest?", "advice"),
        ("I cannot log in", "access"),
        ("Nice weather", "other"),
    ],
)
def test_a_message_has_a_topic(message, topic):
    assert topic_of(message) == topic


def test_a_long_message_is_quoted_in_part_and_the_draft_stays_sendable():
    case = SupportCase.model_validate(samples["sign-in"] | {"message": "word " * 799})
    assert len(drafted(case).text) < 1000


@pytest.mark.parametrize(("field", "value"), [("message", "  "), ("refund", "-1"), ("product", {})])
def test_a_case_that_makes_no_sense_is_refused_by_field(field, value):
    with pytest.raises(ValidationError) as refusal:
        SupportCase.model_validate(samples["refund"] | {field: value})
    assert refusal.value.errors()[0]["loc"][0] == field
