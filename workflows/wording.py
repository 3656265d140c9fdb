"""How the samples word their outcomes: who decided, and a timeout never as a person's no."""

from __future__ import annotations

from typing import assert_never

from bot.approvals import Decision


def deciders(decision: Decision) -> str:
    """Name everybody whose vote made the decision: `U01MAYA and U02FINN`."""
    match decision.by.kind:
        case "human":
            voted = [vote.user for vote in decision.votes if vote.verdict == decision.verdict]
            return " and ".join(dict.fromkeys([*voted, decision.by.user or "a person"]))
        case "policy":
            return "policy"
        case "timeout":
            return "nobody in time"
        case _:
            assert_never(decision.by.kind)


def refusal(decision: Decision) -> str:
    """Say why something did not happen, in the decider's words where there are any."""
    if decision.by.kind == "timeout":
        if decision.reason == "never_delivered":
            return "the question could not be delivered"
        return "too few answered in time" if decision.votes else "nobody answered in time"
    said = decision.comment or decision.text or decision.reason
    return f"rejected by {deciders(decision)}" + (f": {said}" if said else "")


def sentence(text: str) -> str:
    """Close a sentence that may end in somebody's own words, and so be closed already."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
