from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from bot.approvals import By, Decision
from workflows import effects
from workflows.expense import samples as claims
from workflows.expense import workflow as expense
from workflows.incidents import topology


@pytest.fixture
def ledger(database, monkeypatch):
    monkeypatch.setenv(effects.VARIABLE, database)
    yield database
    effects.close()


def test_an_effect_happens_the_first_time_only_and_keeps_its_first_data(ledger):
    assert effects.record("t1:payment", "payment", {"amount": "1.00"}) is True
    assert effects.record("t1:payment", "payment", {"amount": "2.00"}) is False

    (effect,) = effects.recorded(kind="payment")
    assert (effect.key, effect.data) == ("t1:payment", {"amount": "1.00"})
    assert effect.at.tzinfo is not None


def test_of_many_at_once_one_makes_the_effect(ledger):
    with ThreadPoolExecutor(8) as threads:
        first = list(threads.map(lambda n: effects.record("t1:reply", "reply", {"n": n}), range(8)))
    assert sorted(first) == [False] * 7 + [True]
    assert len(effects.recorded()) == 1


def test_effects_are_found_by_kind_by_thread_and_by_what_they_hold(ledger):
    effects.record("t1:a", "payment", {"identities": ["x", "y"], "vendor": "Acme"})
    effects.record("t1:b", "reply", {"text": "hi"})
    effects.record("t10:a", "payment", {"identities": ["z"]})

    def keys(**wanted):
        return {effect.key for effect in effects.recorded(**wanted)}

    assert keys(kind="payment") == {"t1:a", "t10:a"}
    assert keys(thread="t1") == {"t1:a", "t1:b"}
    assert keys(kind="payment", holding={"identities": ["y"]}) == {"t1:a"}
    assert keys(holding={"identities": ["nobody"]}) == set()


def test_effects_go_on_after_the_connections_were_cut(ledger):
    effects.record("t1:a", "payment", {})
    with psycopg.connect(ledger, autocommit=True) as other:
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )

    assert effects.record("t1:b", "payment", {}) is True


def test_two_processes_may_meet_an_empty_database_at_once(ledger):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: _create_table(ledger), range(4)))
    assert effects.recorded() == []


def _create_table(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        effects._create_table(connection)


def test_without_a_ledger_the_error_names_the_variable_in_one_line(monkeypatch):
    monkeypatch.delenv(effects.VARIABLE, raising=False)
    with pytest.raises(effects.NoLedger, match=r"^SIGNOFF_EFFECTS_URL is not set: [^\n]+$"):
        effects.record("t1:a", "payment", {})


def test_replicas_are_what_was_declared_and_what_the_ledger_changed(ledger):
    orders = topology.TOPOLOGY["orders-db-replicas"]
    assert topology.replicas(orders) == 4
    effects.record(
        "t1:scale_down:orders-db-replicas", topology.SCALED, {"service": orders.name, "change": -2}
    )

    assert topology.replicas(orders) == 2
    assert topology.spare() == {"catalog-db-replicas": 2, "sessions-db-replicas": 1}


async def test_a_payment_that_runs_twice_is_one_row_and_its_twin_is_noticed(ledger):
    graph = expense.graph.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t1"}}
    paused = await graph.ainvoke(claims["lunch"], config)
    (interrupt,) = paused["__interrupt__"]
    decision = Decision(
        verdict="approve",
        by=By(kind="policy"),
        proposal=interrupt.value["proposal"],
        decided_at=datetime(2026, 11, 20, 15, 0, tzinfo=UTC),
    )
    await graph.ainvoke(Command(resume={interrupt.id: decision.answer()}), config)
    before_paying = [s.config async for s in graph.aget_state_history(config) if s.next == ("pay",)]
    await graph.ainvoke(None, before_paying[0])

    with psycopg.connect(ledger) as connection:
        rows = connection.execute("select key, data ->> 'amount' from sample_effects").fetchall()
    assert rows == [("t1:payment", "84.50")]

    twin = await graph.ainvoke(claims["lunch"], {"configurable": {"thread_id": "t2"}})
    assert twin["__interrupt__"][0].value["auto"] is None
