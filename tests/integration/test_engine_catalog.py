"""What runs here and what does not: one bad module keeps nobody else from running, and says why in a line."""

from __future__ import annotations

import sys
from typing import TypedDict

import pytest
import structlog
from fixtures_engine import bench, chain
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from bot.approvals import Workflow
from bot.approvals.workflow import BadWorkflow
from bot.engine.catalog import BareGraph, compiled, load

PREAMBLE = """
from typing import TypedDict
from langgraph.graph import START, StateGraph
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from bot.approvals import Workflow

class State(TypedDict, total=False):
    done: bool

def builder():
    made = StateGraph(State)
    made.add_node("a", lambda state: {"done": True})
    made.add_edge(START, "a")
    return made

def around(inner):
    made = StateGraph(State)
    made.add_node("inner", inner)
    made.add_edge(START, "inner")
    return made
"""

MODULES = {
    "good": "workflow = Workflow(name='good', graph=builder())",
    "other": "workflow = Workflow(name='other', graph=builder().compile())",
    "none": "workflow = 'not one'",
    "empty": "",
    "stops": "workflow = Workflow(name='stops', graph=builder().compile(interrupt_before=['a']))",
    "stops_after": "workflow = Workflow(name='stops_after', graph=builder().compile(interrupt_after='*'))",
    "stops_inside": (
        "inner = around(builder().compile(interrupt_after=['a'])).compile()\n"
        "workflow = Workflow(name='inside', graph=around(inner))"
    ),
    "keeps": (
        "inner = builder().compile(checkpointer=InMemorySaver())\n"
        "workflow = Workflow(name='keeps', graph=around(inner))"
    ),
    "keeps_own": "workflow = Workflow(name='keeps', graph=around(builder().compile(checkpointer=True)))",
    "missing": "import no_such_module",
    "broken": "1 / 0",
    "syntax": "def (",
    "away": "raise OSError('no answer of postgresql://books:hunter2@db/books')",
    "exits": "import sys; sys.exit(3)",
    "named_badly": "workflow = Workflow(name='Not A Name', graph=builder())",
    "no_graph": "workflow = Workflow(name='nograph', graph=42)",
    "unfinished": "workflow = Workflow(name='unfinished', graph=StateGraph(State))",
    "twice": "workflow = Workflow(name='good', graph=builder())",
    "bare": (
        "plain = builder(); _made = builder().compile(checkpointer=InMemorySaver()); nothing = None\n"
        "@entrypoint(checkpointer=InMemorySaver())\n"
        "def made(given): return given"
    ),
}

STOP = {"stops", "stops_after", "inside"}

REFUSED = {
    "keeps": "checkpointer of its own",
    "keeps_own": "checkpointer of its own",
    "missing": "no_such_module",
    "broken": "ZeroDivisionError",
    "syntax": "SyntaxError",
    "exits": "SystemExit",
    "named_badly": "not a workflow name",
    "no_graph": "int",
    "away": "postgresql://books:***@db/books",
    "unfinished": "entrypoint",
    "twice": "taken",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of workflows, most of them bad in a way of their own."""
    home = tmp_path / "strange_workflows"
    home.mkdir()
    (home / "__init__.py").touch()
    for name, code in MODULES.items():
        (home / f"{name}.py").write_text(PREAMBLE + code)
    monkeypatch.syspath_prepend(tmp_path)
    yield "strange_workflows"
    for name in [name for name in sys.modules if name.startswith("strange_workflows")]:
        del sys.modules[name]


def test_the_good_ones_are_offered_whatever_the_others_are(package):
    assert set(load(package=package).entries) == {"good", "other", *STOP}


def test_what_can_stop_at_a_breakpoint_is_known_when_it_is_loaded_wherever_in_it_that_is(package):
    entries = load(package=package).entries

    assert {name for name, entry in entries.items() if entry.guarded} == STOP


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_with_a_module_is_said_in_one_line(package, name):
    problem = load(package=package).problems[f"{package}.{name}"]

    assert REFUSED[name] in problem
    assert "\n" not in problem


def test_a_module_that_raises_is_told_by_the_line_of_its_own_package(tmp_path, monkeypatch):
    (tmp_path / "mending").mkdir()
    (tmp_path / "mending" / "__init__.py").touch()
    (tmp_path / "mending" / "rates.py").write_text("import json\n\n\nRATES = json.loads('{')")
    (tmp_path / "mending" / "flow.py").write_text("from mending.rates import RATES")
    monkeypatch.syspath_prepend(tmp_path)

    catalog = load(["mending.flow:workflow", "mending.none:workflow"], package="bot.approvals")

    assert catalog.problems["mending.flow:workflow"].endswith("(rates.py, line 4)")
    assert catalog.problems["mending.none:workflow"].endswith("No module named 'mending.none'")


def test_modules_without_a_workflow_are_no_problem(package):
    assert set(load(package=package).problems) == {f"{package}.{name}" for name in REFUSED}


def test_a_bare_graph_lives_under_the_defaults_and_may_not_decide_itself(package):
    bare = BareGraph(channel="#ops", approvers=("U01MAYA",), reply="bool")
    catalog = load([f"{package}.bare:plain"], bare, package=f"{package}.nothing")
    workflow = catalog.entries["plain"].workflow

    assert (workflow.channel, workflow.policy.approvers, workflow.reply) == ("#ops", ("U01MAYA",), "bool")
    assert workflow.declared is False


@pytest.mark.parametrize("attribute", ["_made", "made"])
def test_a_bare_graphs_own_checkpointer_is_replaced_with_a_warning(package, attribute):
    with structlog.testing.capture_logs() as said:
        catalog = load([f"{package}.bare:{attribute}"], package=f"{package}.nothing")

    assert catalog.entries["made"].graph.checkpointer is None
    assert [line["event"] for line in said] == ["checkpointer_replaced"]


@pytest.mark.parametrize(
    "source", ["{}.bare:missing", "{}.bare:nothing", "{}.bare", "nowhere:graph", ":", "{}.broken:workflow"]
)
def test_a_source_that_names_no_graph_is_one_line_in_the_problems(package, source):
    source = source.format(package)
    catalog = load([source], package=package)

    assert "\n" not in catalog.problems[source]
    assert set(catalog.entries) == {"good", "other", *STOP}


def test_a_folder_that_is_hidden_behind_one_of_ours_is_told_so(package):
    catalog = load(["workflows.mine:workflow"], package=f"{package}.nothing")
    assert "Signoff's own package is called workflows" in catalog.problems["workflows.mine:workflow"]


async def test_a_bare_graph_with_a_checkpointer_of_its_own_is_kept_in_our_postgres(database):
    class State(TypedDict, total=False):
        said: str

    def node(state):
        return {"said": interrupt("go?")}

    theirs = InMemorySaver()
    graph = chain(State, node).compile(checkpointer=theirs)
    async with bench(database, Workflow(name="demo", graph=graph, reply="text", declared=False)) as it:
        thread_id = await it.run()
        (approval,) = (await it.pending(thread_id)).values()
        await it.answer(approval)

        assert (await it.thread(thread_id)).result == {"said": "approve"}
        assert list(theirs.list(None)) == []
        assert await it.rows("select 1 from checkpoints where thread_id = %s", thread_id) != []


def test_a_graph_that_was_compiled_for_others_is_left_as_it_was():
    class State(TypedDict, total=False):
        said: str

    builder = StateGraph(State)
    builder.add_node("a", lambda state: {})
    builder.add_edge(START, "a")
    graph = builder.compile(checkpointer=InMemorySaver())
    compiled(Workflow(name="demo", graph=graph))

    assert isinstance(graph.checkpointer, InMemorySaver)


def test_a_graph_is_refused_where_it_is_declared_with_nothing_to_run():
    with pytest.raises(BadWorkflow):
        compiled(Workflow(name="demo", graph=lambda: None))
