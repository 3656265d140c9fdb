"""`ask()` and `effect_key()` where they cannot work say so in one line, before anything is asked."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fixtures_engine import chain, flow
from langgraph.types import interrupt
from typing_extensions import TypedDict

from bot.approvals import ApprovalRequest, Option, ask, effect_key
from bot.approvals.errors import BadRequest


class State(TypedDict, total=False):
    said: Any


@pytest.mark.parametrize(
    ("call", "name"),
    [(lambda: ask(ApprovalRequest(title="pay?")), "ask"), (lambda: effect_key("a"), "effect_key")],
)
def test_outside_of_a_node_it_is_said_where_to_call_it(call, name):
    with pytest.raises(BadRequest, match=rf"{name}\(\) was called outside of a node"):
        call()


def test_an_effect_of_no_thread_has_no_key():
    graph = chain(State, lambda state: {"said": effect_key("payment")}, names=("pay",)).compile()

    with pytest.raises(BadRequest, match=r"effect_key\(\) needs a thread"):
        graph.invoke({})


def test_a_question_from_a_thread_of_a_nodes_own_fails_the_run_at_once(signoff):
    def pay(state):
        raised: list[BaseException] = []

        def asks():
            try:
                ask(ApprovalRequest(title="pay?"))
            except BadRequest as error:
                raised.append(error)

        own = threading.Thread(target=asks)
        own.start()
        own.join()
        raise raised[0]

    run = signoff.start(flow(chain(State, pay)), {})

    assert (run.status, run.history) == ("failed", ())
    assert run.error.startswith("ask() was called outside of a node, or in a thread that a node began")


@pytest.mark.parametrize(
    "asked", [{"options": (Option(id="net", label="Net"),)}, {"allow": ("reject", "respond")}]
)
def test_policy_does_not_approve_what_cannot_be_approved(signoff, asked):
    request = ApprovalRequest(title="Which figure?", **asked)
    run = signoff.start(
        flow(chain(State, lambda state: {"said": ask(request, auto="clear")}, names=("a",))), {}
    )
    assert (run.status, run.decisions) == ("failed", ())
    assert run.error.startswith("ask(…, auto=…) approves, which this request does not allow")


def test_a_payload_that_leaves_to_policy_what_cannot_be_approved_is_asked(signoff):
    asked = {"signoff": 1, "title": "Which?", "auto": "clear", "options": [{"id": "net", "label": "Net"}]}
    run = signoff.start(flow(chain(State, lambda state: {"said": interrupt(asked)}, names=("a",))), {})

    assert (run.status, run.decisions) == ("waiting", ())
    assert run.choose("net").result["said"]["choice"] == "net"
