"""The core: what an approval is and how it moves. Pure, but for `ask()`, which pauses a graph."""

from typing import TYPE_CHECKING, Any

from bot.approvals.breakpoints import Breakpoints
from bot.approvals.decision import By, Decision
from bot.approvals.policy import Policy, Vote
from bot.approvals.request import ApprovalRequest, Option
from bot.approvals.sla import Fallback, Sla
from bot.approvals.workflow import Workflow

if TYPE_CHECKING:
    from bot.approvals.pausing import ask, effect_key

__all__ = [
    "ApprovalRequest",
    "Breakpoints",
    "By",
    "Decision",
    "Fallback",
    "Option",
    "Policy",
    "Sla",
    "Vote",
    "Workflow",
    "ask",
    "effect_key",
]


def __getattr__(name: str) -> Any:
    """Import `ask` and `effect_key` when first used: commands that run no graph need no LangGraph."""
    if name in ("ask", "effect_key"):
        from importlib import import_module

        return getattr(import_module("bot.approvals.pausing"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
