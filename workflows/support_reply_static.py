"""The same graph of answers to customers, paused by `interrupt_before` instead of a question in its node.

The officer's node asks nothing then and does not run: the graph goes on as if it had returned the decision,
which is what `aupdate_state(…, as_node="officer")` and `ainvoke(None)` do by hand.
"""

from __future__ import annotations

from dataclasses import replace

from bot.approvals import Breakpoints
from workflows.support_reply import builder, request, samples
from workflows.support_reply import workflow as asking

__all__ = ["samples", "workflow"]

workflow = replace(
    asking,
    name="support_reply_static",
    description="Answers a customer as support_reply does, stopped before the officer by the graph itself.",
    graph=builder.compile(interrupt_before=["officer"]),
    breakpoints=Breakpoints(show=request, answered=lambda decision: {"decision": decision.answer()}),
)
