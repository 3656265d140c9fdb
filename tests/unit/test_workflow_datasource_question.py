from __future__ import annotations

import csv
import sqlite3
import sys
import types
from contextlib import closing
from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from bot.testing import Run
from workflows import model
from workflows.datasource_question import Question, samples, workflow
from workflows.datasource_questions.data import REGIONS, folder, select
from workflows.datasource_questions.intent import chosen, narrowed, understood
from workflows.datasource_questions.metrics import METRICS, Scope

pytestmark = pytest.mark.usefixtures("ledger")

TODAY = date(2026, 11, 20)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The sample takes a moment to make; nothing writes to it."""
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(autouse=True)
def data(made, monkeypatch):
    monkeypatch.setenv("SIGNOFF_SAMPLES", str(made))
    monkeypatch.delenv("SIGNOFF_DATA", raising=False)
    return folder()


@pytest.fixture
def asked(signoff):
    signoff.group("@finance-managers", "U01MAYA")

    def asked(question: str) -> Run:
        return signoff.start(workflow, {"question": question, "as_of": TODAY.isoformat()})

    return asked


def sums(data, column: str, start: str, end: str, region: str | None = None) -> Decimal:
    with (data / "billing.csv").open(newline="") as file:
        found = [row for row in csv.DictReader(file) if start <= row[column] <= end]
    return sum((Decimal(row["amount"]) for row in found if region in (None, row["region"])), Decimal(0))


def test_an_ambiguous_question_becomes_a_question_back_with_what_each_answer_means(asked):
    run = asked("What was our revenue in October 2026?")
    request = run.request
    assert request.title == "Which figure is meant: “What was our revenue in October 2026?”"
    assert [option.id for option in request.options] == ["booked", "invoiced", "received"]
    assert request.options[2].description == "Billing file: what was paid, by the day it came in"
    assert request.allow == ("respond",)


def test_the_answer_goes_on_with_the_conversation_and_refers_to_the_question(asked, data, ledger):
    run = asked("What was our revenue in October 2026?").choose("received", by="U05ROSA")

    expected = sums(data, "paid_on", "2026-10-01", "2026-10-31")
    assert run.state["result"] == "answered"
    assert run.state["outcome"] == (
        "“What was our revenue in October 2026?” "
        f"Revenue by money received, October 2026: {expected:,.2f} EUR (billing file)."
    )
    assert [turn["who"] for turn in run.state["conversation"]] == ["asker", "signoff", "U05ROSA", "signoff"]
    (effect,) = ledger.effects
    assert effect.key == f"{run.thread_id}:answer"
    assert effect.data.items() >= {"question": "What was our revenue in October 2026?"}.items()


def test_each_choice_gives_another_answer(asked):
    answers = set()
    for choice in ("booked", "invoiced", "received"):
        run = asked("What was our revenue in October 2026?").choose(choice, by="U05ROSA")
        answers.add(run.state["answer"].partition("2026: ")[2].partition(" EUR")[0])
    assert len(answers) == 3


def test_what_is_unclear_in_two_ways_is_asked_one_after_the_other(asked, data):
    run = asked("What was our revenue last quarter in the north?")
    run.choose("invoiced", by="U05ROSA")

    assert run.request.title.startswith("Which time is meant: “What was our revenue last quarter")
    assert "So far: Revenue by invoices issued." in run.request.summary
    assert [option.description for option in run.request.options] == [
        "2026-07-01 to 2026-09-30",
        "2026-08-01 to 2026-10-31",
    ]

    run.choose("fiscal 2026-08", by="U05ROSA")

    expected = sums(data, "issued_on", "2026-08-01", "2026-10-31", "north")
    assert f"north: {expected:,.2f} EUR" in run.state["answer"]


def test_an_answer_in_words_is_understood(asked):
    run = asked("What was our revenue in October 2026?")
    run.respond("the cash that came in", by="U05ROSA")
    assert run.state["answer"].startswith("Revenue by money received")


def test_an_answer_in_words_that_does_not_tell_is_asked_again(asked):
    run = asked("What was our revenue in October 2026?")
    run.respond("whatever", by="U05ROSA")
    assert run.pauses
    assert "“whatever” does not say which one" in run.request.summary
    assert "So far" not in run.request.summary
    assert "You " not in run.request.summary, "managers read it, too"
    run.choose("booked", by="U05ROSA")
    assert run.state["result"] == "answered"


def test_words_that_leave_two_readings_ask_about_those_two(asked):
    run = asked("What was our revenue in October 2026?")
    run.respond("invoiced or paid", by="U05ROSA")
    assert [option.id for option in run.request.options] == ["invoiced", "received"]


def test_a_clear_question_asks_nobody(asked):
    run = asked("How many orders did we have in October 2026?")
    assert not run.pauses
    assert run.state["answer"].startswith("Orders, October 2026: ")


def test_a_question_over_two_sources_is_answered_from_both_by_region(asked, data):
    run = asked(samples["tickets"]["question"])
    assert not run.pauses
    told = run.state["answer"]
    assert all(f"{region}: " in told for region in REGIONS)
    scope = Scope(date(2026, 10, 1), date(2026, 10, 31), "west")
    tickets, orders = (METRICS[name].figure(data, scope).lines for name in ("opened", "orders"))
    assert f"west: {100 * tickets / orders:.1f} tickets per 100 orders" in told


def test_a_question_that_the_data_know_nothing_of_is_said_so(asked, ledger):
    run = asked("How is the weather in Kiel?")
    assert run.state["result"] == "not understood"
    assert "data only covers: revenue, customers, tickets" in run.state["outcome"]
    assert ledger.effects == []


@pytest.mark.parametrize(("delivered", "why"), [(True, "nobody answered"), (False, "could not be delivered")])
def test_an_unanswered_question_back_ends_without_a_guess(signoff, asked, ledger, delivered, why):
    signoff.delivers = delivered
    run = asked("What was our revenue in October 2026?").time_out()
    assert run.state["result"] == "expired"
    assert run.state["outcome"].startswith("“What was our revenue in October 2026?” Not answered")
    assert why in run.state["outcome"]
    assert ledger.effects == []


def test_a_second_run_of_the_answer_gives_it_once(asked, ledger):
    run = asked("What was our revenue in October 2026?").choose("booked", by="U05ROSA")
    run.again("answer")
    assert (ledger.attempts, len(ledger.effects)) == (2, 1)


def test_a_run_that_starts_again_asks_for_the_same(asked):
    run = asked("What was our revenue last quarter?")
    run.ask_again()


def test_whoever_asked_may_answer():
    assert workflow.policy.self_approval
    assert "U05ROSA" in workflow.policy.approvers


@pytest.mark.parametrize(
    ("question", "metrics"),
    [
        ("What was our revenue?", ("booked", "invoiced", "received")),
        ("revenue from orders", ("booked",)),
        ("How much income was actually paid?", ("received",)),
        ("customers who wrote to support", ("writers",)),
        ("How many tickets were closed?", ("closed",)),
        ("tickets per order", ("tickets_per_order",)),
        ("What is an ordered list?", ()),
    ],
)
def test_the_words_of_a_question_leave_these_readings(question, metrics):
    assert understood(question, TODAY).metrics == metrics


@pytest.mark.parametrize(
    ("words", "spans"),
    [
        ("in October", ["2026-10-01 2026-10-31"]),
        ("in December", ["2025-12-01 2025-12-31"]),
        ("what may the revenue be in 2025", ["2025-01-01 2025-12-31"]),
        ("in May", ["2026-05-01 2026-05-31"]),
        ("last month", ["2026-10-01 2026-10-31"]),
        ("this month", ["2026-11-01 2026-11-20"]),
        ("last year", ["2025-01-01 2025-12-31"]),
        ("ever", ["2025-01-01 2026-11-20"]),
        ("Q4", ["2026-10-01 2026-11-20", "2026-11-01 2026-11-20"]),
        ("Q1 2026", ["2026-01-01 2026-03-31", "2026-02-01 2026-04-30"]),
        ("this quarter", ["2026-10-01 2026-11-20", "2026-11-01 2026-11-20"]),
        ("", ["2026-10-01 2026-10-31", "2026-01-01 2026-11-20", "2025-01-01 2026-11-20"]),
    ],
)
def test_the_words_of_a_question_leave_these_periods(words, spans):
    periods = understood(f"revenue {words}", TODAY).periods
    assert [f"{period.first} {period.last}" for period in periods] == spans


def test_a_period_in_words_narrows_what_is_left():
    intent = chosen(understood("revenue last quarter", TODAY), "booked")
    assert [period.id for period in narrowed(intent, "the fiscal one", TODAY).periods] == ["fiscal 2026-08"]
    assert [period.id for period in narrowed(intent, "the calendar quarter", TODAY).periods] == [
        "calendar 2026-07"
    ]
    assert [period.id for period in narrowed(intent, "rather October", TODAY).periods] == ["2026-10"]
    assert narrowed(intent, "yes", TODAY) is None


def test_what_was_not_offered_cannot_be_chosen():
    with pytest.raises(ValueError, match="not among the options"):
        chosen(understood("revenue in October", TODAY), "profit")


def test_the_sources_can_only_be_read(data):
    for query in ("delete from orders", "insert into orders values (0, '', '', '', 0)"):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            select(data / "sales.db", query, {})


def test_data_of_ones_own_is_read_as_it_is_and_what_is_missing_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_DATA", str(tmp_path))
    (tmp_path / "billing.csv").write_text(
        "invoice,customer,region,issued_on,paid_on,amount\nR1,Acme,north,2026-10-01,,10.50\n"
    )
    scope = Scope(date(2026, 10, 1), date(2026, 10, 31))
    assert METRICS["invoiced"].figure(folder(), scope).text == "10.50 EUR"
    assert METRICS["received"].figure(folder(), scope).text == "0.00 EUR"
    assert METRICS["booked"].figure(folder(), scope).lines > 0
    assert not list(tmp_path.glob(".*"))


def test_the_three_sources_tell_of_the_same_orders(data):
    scope = Scope(date(2026, 1, 1), date(2026, 12, 31))
    with closing(sqlite3.connect(data / "sales.db")) as connection:
        ((count,),) = connection.execute(
            "select count(*) from orders where ordered_on like '2026%'"
        ).fetchall()
    assert METRICS["orders"].figure(data, scope).text == f"{count} orders"
    assert METRICS["buyers"].figure(data, scope).text == "24 customers"


def test_a_model_helps_where_the_rules_know_no_word_and_is_named(monkeypatch):
    class Chat:
        def with_structured_output(self, form):
            return self

        def invoke(self, messages):
            return {"metrics": ["received", "drop table", "booked"]}

    module = types.ModuleType("langchain.chat_models")
    module.init_chat_model = lambda name: Chat()
    monkeypatch.setitem(sys.modules, "langchain", types.ModuleType("langchain"))
    monkeypatch.setitem(sys.modules, "langchain.chat_models", module)
    monkeypatch.setenv(model.VARIABLE, "acme:clever-1")

    intent = understood("How much dough did we make in October?", TODAY)

    assert intent.metrics == ("received", "booked")
    assert intent.understood_by == "acme:clever-1"
    assert understood("revenue", TODAY).understood_by == "fixed rules"


@pytest.mark.parametrize(("field", "value"), [("question", ""), ("as_of", "soon"), ("sql", "drop table")])
def test_a_question_that_makes_no_sense_is_refused_by_field(field, value):
    with pytest.raises(ValidationError) as refusal:
        Question.model_validate(samples["revenue"] | {field: value})
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]
