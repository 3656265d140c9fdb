"""The core: what an approval is and how it moves. Pure, but for `ask()`, which calls LangGraph's interrupt()."""

from bot.approvals.ask import ask, effect_key
from bot.approvals.decision import By, Decision
from bot.approvals.policy import Policy, Vote
from bot.approvals.request import ApprovalRequest, Option
from bot.approvals.sla import Fallback, Sla
from bot.approvals.workflow import Workflow

__all__ = [
    "ApprovalRequest",
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
