"""Whose each answer is that a node was given: LangGraph goes by the order in which they are asked for.

Where tools of one node ask at once, that order may be another on each run, and an approval would run what
it was not given for. So each answer says which question it is of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from langchain_core.runnables.config import set_config_context
from langgraph.config import get_config
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from bot.approvals.basis import refuse_moved
from bot.approvals.decision import OF, Decision

SENT = "__pregel_resume_map"
"""Where a node's configuration has the answers that LangGraph's present run sends (contract-tested)."""
SCRATCHPAD = "__pregel_scratchpad"
"""Where it has those that its task was given so far, and counts what was asked (contract-tested)."""
SEND, RESUME = "__pregel_send", "__resume__"
"""How a task keeps what it was given (contract-tested)."""

CALLED = {"tags", "recursion_limit"}
"""What LangChain fills in where something is called (contract-tested); a graph may have a limit by itself."""

_taken: WeakKeyDictionary[Callable[[bool], Any], tuple[Callable[[], int], set[int]]] = WeakKeyDictionary()
"""Which places of a task's answers were taken in its present run, by a function of its scratchpad's.

LangGraph tries a node again with the same scratchpad, but for what counts its questions: that tells the tries
apart.
"""
_lock = Lock()


@dataclass(frozen=True)
class Expected:
    """What `ask()` declares to LangGraph: it refuses, before storing it, an answer that is no `Decision`.

    So it does with one on another `basis`. The schema that is shown on the interrupt is left open, but for
    the question's hash: building Decision's at every pause would cost more than the pause itself.
    """

    of: str
    basis: str | None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._decided)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"title": "Decision", "type": "object", OF: self.of}

    def _decided(self, answer: Any) -> Decision:
        said = {key: value for key, value in answer.items() if key != OF} if _of(answer) else answer
        decision = Decision.model_validate(said)
        if self.basis is None or not _is_being_sent(answer):
            return decision
        return refuse_moved(decision, self.basis)


@contextmanager
def at_answer(config: Any, of: str) -> Iterator[Context]:
    """Give a context in which `interrupt()` finds the answer to this question, or asks it."""
    given = config["configurable"]
    pad = given[SCRATCHPAD]
    place = _place(pad, of, called=config.keys() >= CALLED)
    if 0 < len(pad.resume) == place:
        # Also what nobody has asked for in this run: whose turn has not come has it in the next.
        given[SEND]([(RESUME, list(pad.resume))])
    own = {**given, SCRATCHPAD: replace(pad, interrupt_counter=lambda: place)}
    told: Any = {**config, "configurable": own}
    with set_config_context(told) as context:
        yield context
    stored = _stored(pad)
    if len(stored) > place + 1:  # LangGraph keeps what stands before it, and others may stand behind
        given[SEND]([(RESUME, stored)])


def _place(pad: Any, of: str, *, called: bool) -> int:
    """Return where the answer to this question stands; behind all of them where it has none yet.

    What asks in a node's own code may word its question anew on each run; there the order counts. A tool, or
    whatever else the node has `called`, may have others beside it: it takes no answer to another question.
    LangChain fills in what such a one runs under (contract-tested).
    """
    turn = pad.interrupt_counter()
    with _lock:
        taken = _taken_in(pad)
        free = [place for place in range(len(pad.resume)) if place not in taken]
        places = [place for place in free if _of(pad.resume[place]) == of]
        if not places and turn in free and not (called and _of(pad.resume[turn])):
            places = [turn]
        place = turn if turn in places else next(iter(places), len(pad.resume))
        taken.add(place)
    return place


def _taken_in(pad: Any) -> set[int]:
    """Return the places taken since the node last began; what is asked has that behind all of them."""
    counter, taken = _taken.get(pad.get_null_resume, (None, set()))
    if counter is not pad.interrupt_counter:
        taken = set()
        _taken[pad.get_null_resume] = pad.interrupt_counter, taken
    return taken


def _stored(pad: Any) -> list[Any]:
    """Return the answers without one that came with this run and was not taken: it may be refused yet.

    Where something was asked meanwhile, behind all of them, they stay as they were counted for that.
    """
    *before, last = pad.resume
    with _lock:
        untaken = _taken_in(pad).isdisjoint((len(before), len(pad.resume)))
    return before if untaken and _is_being_sent(last) else [*before, last]


def _of(answer: Any) -> str | None:
    """Tell which question an answer is of, where it says so."""
    return answer.get(OF) if isinstance(answer, dict) and answer.get("signoff") == 1 else None


def _is_being_sent(answer: Any) -> bool:
    """Tell an answer that this run brings from one that LangGraph has stored.

    A stored one was checked when it came. It is given to the node again at each of its runs, so refusing it
    then, for a world that moved later, would keep the node from ever running to its end.
    """
    sent = get_config()["configurable"].get(SENT)
    return isinstance(sent, dict) and any(one is answer for one in sent.values())
