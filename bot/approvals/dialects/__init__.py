"""Interrupts of graphs that do not speak our request: what to ask for them, and what to answer them."""

from __future__ import annotations

from bot.approvals.dialects.answering import Answering
from bot.approvals.dialects.asked import Asked, Dialect, End, Original, Resume
from bot.approvals.dialects.breakpoints import (
    BreakpointMove,
    StepOn,
    Update,
    When,
    breakpoint_move,
    breakpoint_request,
)
from bot.approvals.dialects.reading import read
from bot.approvals.dialects.replying import reply

__all__ = [
    "Answering",
    "Asked",
    "BreakpointMove",
    "Dialect",
    "End",
    "Original",
    "Resume",
    "StepOn",
    "Update",
    "When",
    "breakpoint_move",
    "breakpoint_request",
    "read",
    "reply",
]
