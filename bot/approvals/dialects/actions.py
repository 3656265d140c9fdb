"""An action that waits for a person, as LangChain and the agent inbox know it: its card and its ruling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bot.approvals.changes import changes
from bot.approvals.decision import Decision
from bot.approvals.dialects.asked import End
from bot.approvals.dialects.checking import Schema, check, mapping
from bot.approvals.dialects.words import one_line, why_ended, why_rejected
from bot.approvals.errors import BadAnswer, BadRequest
from bot.approvals.request import ApprovalRequest

Verb = Literal["approve", "edit", "reject", "respond"]

VERBS: tuple[Verb, ...] = ("approve", "edit", "reject", "respond")

LONGEST_NAME = 200


@dataclass(frozen=True)
class Action:
    """One action: `allowed` is what may be ruled, `about` is Markdown, `schema` that of its arguments."""

    name: str
    args: dict[str, Any]
    allowed: tuple[Verb, ...]
    about: str = ""
    schema: Schema | None = None


@dataclass(frozen=True)
class Ruling:
    """What was decided on one action: `args` are those to run, `words` a reason or an answer."""

    verb: Verb
    args: dict[str, Any]
    words: str | None = None


def named(name: Any, args: Any, what: str) -> tuple[str, dict[str, Any]]:
    """Take an action's name and arguments; raises `BadRequest` where they are none."""
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        raise BadRequest(f"{what} has no name of 1 to {LONGEST_NAME} characters.")
    if not isinstance(args, dict):
        raise BadRequest(f"{what} ({one_line(name, '')}) has arguments that are not an object.")
    return name, args


def arguments_schema(args: dict[str, Any]) -> Schema:
    """Infer a schema from arguments whose own is not known, so that an edit keeps their types.

    Text may be emptied, which leaves the argument out. A whole number may become another number: a model
    writes 100 for a float, too.
    """
    needed = [name for name, value in args.items() if not isinstance(value, str)]
    return {
        "type": "object",
        "properties": {name: argument_schema(value) for name, value in args.items()},
        "required": needed,
    }


def argument_schema(value: Any) -> Schema:
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case list():
            return {"type": "array"}
        case dict():
            return {"type": "object"}
        case _:
            return {}


def ask(action: Action, title: str) -> ApprovalRequest:
    """Ask for one action: the proposal is its arguments, and the buttons are what is allowed."""
    schema = action.schema or arguments_schema(action.args)
    allow = [verb for verb in ("approve", "reject", "edit", "respond") if verb in action.allowed]
    if "edit" in allow and len(allow) > 1 and not mapping(schema.get("properties")):
        allow.remove("edit")
    shown = bool(action.args) or "edit" in allow
    return ApprovalRequest(
        title=one_line(title, "Approve this step?"),
        summary=action.about.strip() or None,
        proposal=action.args if shown else None,
        proposal_schema=schema if shown else None,
        allow=tuple(allow),
    )


def rule(action: Action, decision: Decision) -> Ruling | End:
    """Rule on one action by the decision; raises `BadAnswer` for what the action does not allow."""
    match decision.verdict:
        case "approve":
            args = action.args if decision.proposal is None else decision.proposal
            if not untouched(action, args, decision) or "approve" not in action.allowed:
                if "edit" not in action.allowed or decision.by.kind == "timeout":
                    return refuse(decision, f"{action.name} may not be {_past(action, args)}.")
                return Ruling("edit", fitting(action, args))
            return Ruling("approve", action.args)
        case "reject" if "reject" in action.allowed:
            return Ruling("reject", action.args, why_rejected(decision))
        case "respond" if "respond" in action.allowed:
            return Ruling("respond", action.args, answered(action, decision.text))
        case verdict:
            return refuse(decision, f"{action.name} does not allow “{verdict}”; {_allowed(action)}.")


def untouched(action: Action, args: Any, decision: Decision) -> bool:
    """Tell whether the arguments are those that were asked; Postgres writes 1e22 as a whole number."""
    return not changes(action.args, args) or (not decision.edited and bool(action.args == args))


def fitting(action: Action, args: Any) -> dict[str, Any]:
    """Return edited arguments; raises `BadAnswer` where they do not fit the action."""
    what = f"The edit of {action.name}"
    if not isinstance(args, dict):
        raise BadAnswer(f"{what} is not an object of arguments.")
    check(action.schema or arguments_schema(action.args), args, what)
    return args


def answered(action: Action, words: str | None) -> str:
    """Return an answer in words; raises `BadAnswer` where there are none."""
    if not words or not words.strip():
        raise BadAnswer(f"An answer in words to {action.name} needs words.")
    return words


def refuse(decision: Decision, why: str, key: str | None = None) -> End:
    """End what the clock decided and the graph has no words for; a person is told what to do instead."""
    if decision.by.kind == "timeout":
        return End(why_ended(decision))
    raise BadAnswer(why, key)


def _past(action: Action, args: Any) -> str:
    return "edited" if changes(action.args, args) else f"approved as it stands; {_allowed(action)}"


def _allowed(action: Action) -> str:
    return f"it takes {', '.join(action.allowed)}"
