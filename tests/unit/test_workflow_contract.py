from __future__ import annotations

import sys
import types

import pytest
from pydantic import ValidationError

from bot.testing import Run
from workflows import model
from workflows.contract import samples, workflow
from workflows.contracts.clauses import Clause, digest, drafted
from workflows.contracts.redraft import redrafted
from workflows.contracts.terms import Deal

pytestmark = pytest.mark.usefixtures("ledger")

HOSTING = ["Warranty", "Limits of liability", "Indemnity", "Special term 1"]
"""The clauses of the sample that touch liability, in their order."""


@pytest.fixture
def started(signoff):
    signoff.group("@compliance", "U06CLEO")

    def started(sample: str = "hosting", **changes) -> Run:
        return signoff.start(workflow, samples[sample] | changes)

    return started


@pytest.fixture
def at_limits(started):
    def at_limits() -> Run:
        return started().approve(by="U06CLEO")

    return at_limits


def asked(run: Run) -> str:
    return run.request.title.partition(":")[0]


def deal(**changes) -> Deal:
    return Deal.model_validate(samples["hosting"] | changes)


def test_counsel_is_asked_about_each_clause_that_touches_liability_and_no_other(started, ledger):
    run = started()
    seen = []
    while run.pauses:
        seen.append(asked(run))
        assert ledger.effects == []
        run.approve(by="U06CLEO")

    assert seen == HOSTING
    assert run.state["result"] == "assembled"
    assert run.state["outcome"] == (
        "Assembled the contract of Northwind Hosting Ltd with Acme GmbH: "
        "10 clauses, 4 of them read by U06CLEO."
    )
    (effect,) = ledger.effects
    assert effect.key == f"{run.thread_id}:document"
    assert effect.data["sha256"] == digest(run.state["document"])
    assert list(effect.data["reviewed"]) == HOSTING


def test_the_document_holds_every_clause_in_order(started):
    run = started("workshop")
    while run.pauses:
        run.approve(by="U06CLEO")
    headings = [line for line in run.state["document"].splitlines() if line[:1].isdigit()]
    assert headings == [
        "1. Services",
        "2. Fees",
        "3. Term",
        "4. Confidentiality",
        "5. Warranty",
        "6. Limits of liability",
        "7. Law",
    ]


def test_the_request_says_what_is_at_stake_and_can_be_edited_sent_back_or_refused(at_limits):
    request = (at_limits()).request
    assert request.title.startswith("Limits of liability: clause 6 of the contract of Northwind Hosting Ltd")
    assert "It touches liability, damages" in request.summary
    assert "After it: Indemnity, Special term 1." in request.summary
    assert set(request.allow) == {"approve", "edit", "reject", "respond"}
    assert request.proposal_schema["properties"]["text"]["maxLength"] == 3000
    assert "limited to EUR 48,000.00" in request.proposal["text"]
    assert request.risk == "high"


def test_an_edit_is_what_the_document_says(at_limits, ledger):
    run = at_limits()
    run.edit({"text": "Liability is limited to EUR 10.00.\n\nIn total."}, by="U06CLEO")
    while run.pauses:
        run.approve(by="U06CLEO")
    assert "Liability is limited to EUR 10.00.\n\nIn total." in run.state["document"]
    assert "48,000.00. Nothing" not in run.state["document"]


def test_a_clause_sent_back_is_redrafted_and_asked_about_again(at_limits, ledger):
    run = at_limits()

    run.respond("Cap it at EUR 250,000 please", by="U06CLEO")

    assert asked(run) == "Limits of liability"
    assert "Counsel asked: “Cap it at EUR 250,000 please”" in run.request.summary
    assert "The limit is EUR 250,000.00 now." in run.request.summary
    assert "limited to EUR 250,000.00." in run.request.proposal["text"]
    assert run.request.fields["Drafted by"] == "rules"

    run.respond('strike "wilful acts"', by="U06CLEO")
    assert asked(run) == "Limits of liability"
    assert "fraud" not in run.request.proposal["text"]

    run.approve(by="U06CLEO")
    assert asked(run) == "Indemnity"
    assert "asked:" not in run.request.summary
    assert ledger.effects == []


def test_a_clause_that_lost_its_words_on_liability_is_still_read_by_who_sent_it_back(started):
    run = started("workshop")
    run.respond('replace "warrants" with "says"', by="U06CLEO")
    assert asked(run) == "Warranty"
    assert "touches nothing now" in run.request.summary


def test_a_rejected_clause_ends_it_without_a_document(at_limits, ledger):
    run = at_limits().reject("uncapped or not", by="U06CLEO")
    assert run.state["result"] == "rejected"
    assert run.state["outcome"] == (
        "No contract was made: the clause on limits of liability, rejected by U06CLEO: uncapped or not."
    )
    assert ledger.effects == []


@pytest.mark.parametrize(("delivered", "why"), [(True, "nobody answered"), (False, "could not be delivered")])
def test_an_unanswered_clause_ends_it_and_is_not_told_as_a_no(signoff, at_limits, ledger, delivered, why):
    signoff.delivers = delivered
    run = at_limits().time_out()
    assert run.state["result"] == "expired"
    assert why in run.state["outcome"]
    assert "rejected" not in run.state["outcome"]
    assert ledger.effects == []


def test_an_empty_edit_is_asked_about_again(careless_form, at_limits, ledger):
    run = at_limits().edit({"text": "  "}, by="U06CLEO")
    assert asked(run) == "Limits of liability"
    assert "What was approved is not a clause" in run.request.summary


def test_a_second_run_of_assembling_makes_one_document(started, ledger):
    run = started("workshop")
    while run.pauses:
        run.approve(by="U06CLEO")
    run.again("assemble")
    assert (ledger.attempts, len(ledger.effects)) == (2, 1)


def test_a_run_that_starts_again_asks_for_the_same(at_limits):
    run = at_limits()
    run.ask_again()


def test_a_special_term_is_judged_by_its_words(started):
    run = started("workshop", special=["The rooms are warm", "Baker & Co pays damages if it is late"])
    seen = []
    while run.pauses:
        seen.append(asked(run))
        run.approve(by="U06CLEO")
    assert seen[2:] == ["Special term 2"]


def test_an_approval_is_for_one_text():
    clause = Clause(heading="Warranty", text="It warrants.", drafted_by="template")
    assert clause.open
    read = clause.approved("It warrants much.", "U06CLEO")
    assert not read.open
    assert read.model_copy(update={"text": "It warrants more."}).open


@pytest.mark.parametrize(
    ("words", "text", "how"),
    [
        ('Replace "skill" by “great skill”', "with great skill and care", "Replaced"),
        ('replace "moon" with "sun"', "with skill and care", "“moon” does not occur"),
        ('remove "skill"', None, "would leave no valid clause"),
        ('strike "moon"', "with skill and care", "does not occur"),
        ("make it last two years", "care. Make it last two years.", "added at the end as they are"),
    ],
)
def test_the_orders_that_rules_know(words, text, how):
    clause = next(clause for clause in drafted(deal()) if clause.heading == "Warranty")
    written, told = redrafted(clause, words, deal())
    assert (text or clause.text) in written.text
    assert how in told


@pytest.mark.parametrize(
    ("words", "amount"),
    [
        ("cap at 2x the fees", "EUR 96,000.00"),
        ("limit this to USD 1,500.50", "USD 1,500.50"),
        ("please cap liability to 75k", "EUR 75,000.00"),
    ],
)
def test_a_limit_is_understood_in_its_usual_forms(words, amount):
    clause = next(clause for clause in drafted(deal()) if clause.heading == "Limits of liability")
    written, _ = redrafted(clause, words, deal())
    assert f"limited to {amount}." in written.text


def test_words_that_would_make_a_clause_too_long_leave_it_as_it_was():
    clause = drafted(deal())[0]
    assert redrafted(clause, "x" * 3000, deal())[0] == clause


class Scripted:
    def __init__(self, text: str):
        self.text = text

    def with_structured_output(self, form):
        self.form = form
        return self

    def invoke(self, messages):
        return {"text": self.text.replace("{draft}", messages[1][1].partition("Draft:\n")[2])}


@pytest.fixture
def scripted(monkeypatch):
    def script(text: str) -> None:
        module = types.ModuleType("langchain.chat_models")
        module.init_chat_model = lambda name: Scripted(text)
        monkeypatch.setitem(sys.modules, "langchain", types.ModuleType("langchain"))
        monkeypatch.setitem(sys.modules, "langchain.chat_models", module)
        monkeypatch.setenv(model.VARIABLE, "acme:clever-1")

    return script


def test_a_model_drafts_where_one_is_named_and_the_clause_says_so(scripted):
    scripted("Hereby: {draft}")
    clause = drafted(deal())[5]
    assert clause.text.startswith("Hereby: Neither")
    assert clause.drafted_by == "acme:clever-1"


def test_a_model_that_changes_a_figure_is_not_believed(scripted):
    scripted("Hereby: {draft} Within 7 days.")
    assert {clause.drafted_by for clause in drafted(deal())} == {"template"}


def test_a_model_redrafts_what_counsel_says(scripted):
    scripted("Both sides warrant it.")
    clause, how = redrafted(drafted(deal())[4], "make it mutual", deal())
    assert (clause.text, clause.drafted_by) == ("Both sides warrant it.", "acme:clever-1")
    assert how == "Redrafted by acme:clever-1 as told."


@pytest.mark.parametrize(
    ("field", "value"),
    [("fee", "0"), ("months", 0), ("law", "the moon"), ("supplier", " "), ("special", [""]), ("price", 1)],
)
def test_a_deal_that_makes_no_sense_is_refused_by_field(field, value):
    with pytest.raises(ValidationError) as refusal:
        Deal.model_validate(samples["hosting"] | {field: value})
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]
