"""`ask()`, the one call of LangGraph's interrupt() that authors of workflows need, and `effect_key()`."""

from __future__ import annotations

from typing import Any, cast

from langgraph.config import get_config
from langgraph.types import interrupt

from bot.approvals.decision import Decision
from bot.approvals.errors import BadRequest
from bot.approvals.given import Expected, at_answer
from bot.approvals.request import ApprovalRequest


def ask(request: ApprovalRequest, *, auto: str | None = None) -> Decision:
    """Pause this node until people, the policy or the clock have decided `request`.

    With `auto` (why, in a few words) the workflow's policy decides at once: recorded and resumed like any
    other decision, without a card. The node runs again from its top on resume: do nothing before this call
    that must not happen twice, and take what the request says from the state.

    Tools of one node may ask at once, as long as each asks the same on every run of it.

    With `request.basis` an answer that was given on another basis than the node finds now is refused before
    LangGraph stores it, and people are asked again, with what changed. A rejection is taken on any.
    """
    if not isinstance(request, ApprovalRequest):
        kind = type(request).__name__
        raise BadRequest(f"ask() takes an ApprovalRequest, not a {kind}: ask(ApprovalRequest(title=…)).")
    if auto is not None:
        if "approve" not in request.allow:
            raise BadRequest(
                "ask(…, auto=…) approves, which this request does not allow; decide it in the node, or leave "
                "auto out."
            )
        request = request.model_copy(update={"auto": auto})
    config = _running("ask()")
    payload, of = request.hashed()
    expected = cast("type[Decision]", Expected(of, request.basis))
    with at_answer(config, of) as context:
        return context.run(interrupt, payload, response_schema=expected)


def effect_key(name: str) -> str:
    """Return a key for the effect `name` of this thread that is the same on every re-run of the node.

    Effects are at least once: hand the key to the system that you change (an idempotency key, a primary
    key), and it happens once. Call it inside a node.
    """
    thread_id = _running("effect_key()")["configurable"].get("thread_id")
    if thread_id is None:
        raise BadRequest("effect_key() needs a thread: run its graph with a thread_id (configurable).")
    return f"{thread_id}:{name}"


def _running(called: str) -> Any:
    """Return what the running node was configured with; raises `BadRequest` where no node runs."""
    try:
        return get_config()
    except RuntimeError as error:
        raise BadRequest(
            f"{called} was called outside of a node, or in a thread that a node began; call it in the node."
        ) from error
