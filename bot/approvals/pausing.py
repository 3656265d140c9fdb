"""`ask()`, the one call of LangGraph's interrupt() that authors of workflows need, and `effect_key()`."""

from __future__ import annotations

from typing import cast

from langgraph.config import get_config
from langgraph.types import interrupt

from bot.approvals.decision import Answer, Decision
from bot.approvals.request import ApprovalRequest


def ask(request: ApprovalRequest, *, auto: str | None = None) -> Decision:
    """Pause this node until people, the policy or the clock have decided `request`.

    With `auto` (why, in a few words) the workflow's policy decides at once: recorded and resumed like any
    other decision, without a card. The node runs again from its top on resume: do nothing before this call
    that must not happen twice, and take what the request says from the state.
    """
    if auto is not None:
        request = request.model_copy(update={"auto": auto})
    return cast("Decision", interrupt(request.payload(), response_schema=Answer))


def effect_key(name: str) -> str:
    """Return a key for the effect `name` of this thread that is the same on every re-run of the node.

    Effects are at least once: hand the key to the system that you change (an idempotency key, a primary
    key), and it happens once. Call it inside a node.
    """
    return f"{get_config()['configurable']['thread_id']}:{name}"
