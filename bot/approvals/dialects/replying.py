"""A decision as the graph expects it, checked before it is sent."""

from __future__ import annotations

from typing import assert_never

from bot.approvals.decision import Decision
from bot.approvals.dialects import inbox, langchain, plain, schema
from bot.approvals.dialects.actions import refuse
from bot.approvals.dialects.asked import Dialect, End, Original, Resume
from bot.approvals.dialects.checking import check
from bot.approvals.errors import BadAnswer
from bot.approvals.workflow import Reply


def reply(
    decision: Decision, dialect: Dialect, expected: Reply | None, original: Original | None = None
) -> Resume | End:
    """Turn a decision into what the graph expects back.

    `expected` is the workflow's declared reply; `original` the interrupt as `read` saw it, which every
    dialect but our own and the plain one needs. Raises `BadAnswer` in one line for what does not fit.
    """
    match dialect:
        case "signoff":
            return Resume(decision.answer())
        case "plain" | "raw":
            return _fitting(plain.answer(decision, expected), decision, original)
        case "batched":
            return _fitting(langchain.reply_batched(decision, _needed(original)), decision, original)
        case "per_call":
            return _fitting(langchain.reply_per_call(decision, _needed(original)), decision, original)
        case "inbox":
            return _fitting(inbox.reply_inbox(decision, expected, _needed(original)), decision, original)
        case "schema":
            return schema.reply_schema(decision, expected, _needed(original))
        case "breakpoint" | "node_interrupt":
            return Resume(None)  # nothing is sent: the engine changes the state, or runs the graph on
        case _:
            assert_never(dialect)


def _needed(original: Original | None) -> Original:
    if original is None:
        raise BadAnswer("What the graph asked was not kept, so its answer cannot be made; ask again.")
    return original


def _fitting(said: Resume | End, decision: Decision, original: Original | None) -> Resume | End:
    """Check an answer by the schema that the interrupt came with, if it came with one."""
    if isinstance(said, End) or original is None or not original.response_schema:
        return said
    try:
        check(original.response_schema, said.value, "The answer")
    except BadAnswer as error:
        return refuse(decision, str(error))  # what is wrong is a field of the answer, and of no form
    return said
