"""`interrupt(value, response_schema=…)`: the modal comes from the schema, and the answer must fit it.

Source: langgraph 1.2, types.interrupt: it shows the JSON Schema of a type, and checks the answer by the type
before it is stored. A schema given as a dict it only shows; here its answer is checked, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from bot.approvals.decision import Decision
from bot.approvals.dialects.actions import refuse
from bot.approvals.dialects.asked import Asked, End, Original, Resume
from bot.approvals.dialects.checking import DEFINITIONS, Schema, check, local, mapping, rooted
from bot.approvals.dialects.plain import Told, declared
from bot.approvals.dialects.words import paragraphs, why_ended
from bot.approvals.errors import BadAnswer
from bot.approvals.request import ApprovalRequest, Option
from bot.approvals.workflow import Reply

Answer = Literal["yes_or_no", "choice", "text", "fields", "value"]
"""What a schema asks for: an object's fields have a form; any other `value` is its only field."""

VALUE = "answer"
"""The one field of a form for a number, a list, or whatever else is no object."""

_MOST_OPTIONS = 100

_IN_A_FORM = ("date", "time", "date-time", "password")
"""Formats of text that a form has pickers for, or keeps off the card."""


@dataclass(frozen=True)
class _Choice:
    """One value that may be answered, with what its schema says of it."""

    value: Any
    title: Any = None
    about: Any = None


def answer_to(schema: Schema | None) -> Answer | None:
    """Tell what the schema asks for; None where it takes anything, which is no better than none."""
    root = local(schema, mapping(schema))
    match root.get("type"):
        case "boolean":
            return "yes_or_no"
        case "string" if not _choices(root):
            return "value" if root.get("format") in _IN_A_FORM else "text"
        case "object" | None if mapping(root.get("properties")):
            return "fields"
        case "object":
            return "value" if mapping(root.get("additionalProperties")) else None
    if _choices(root):
        return "choice"
    return "value" if root.keys() & {"type", "anyOf", "oneOf", "allOf", "enum", "const"} else None


def read_schema(said: Told, schema: Schema, original: Original) -> Asked:
    """Ask for what the schema describes; `said` is what the interrupt's value tells."""
    root = local(schema, schema)
    kind = answer_to(schema)
    about = root.get("description") if kind == "fields" else None
    asks: dict[str, Any] = {
        "title": said.title,
        "summary": paragraphs(said.summary, about if isinstance(about, str) else None),
        "fields": said.fields,
    }
    match kind:
        case "yes_or_no":
            asks["allow"] = ("approve", "reject")
        case "text":
            asks["allow"] = ("respond", "reject")
        case "choice":
            asks |= {"options": _options(_choices(root)), "allow": ("reject",)}
        case "fields":
            asks |= {"proposal": _defaults(root), "proposal_schema": rooted(root, schema)}
            asks["allow"] = ("edit", "reject")
        case _:
            asks |= {"proposal": _defaults(_wrapped(schema)), "proposal_schema": _wrapped(schema)}
            asks["allow"] = ("edit", "reject")
    return Asked(ApprovalRequest(**asks), "schema", original)


def reply_schema(decision: Decision, expected: Reply | None, original: Original) -> Resume | End:
    """Answer with what was filled in; refuse only where the schema or a declared function has words for it.

    The other declared replies do not count here: a lax schema would take their dict for an answer.
    """
    schema = original.response_schema or {}
    kind = answer_to(schema)
    if decision.verdict == "reject":
        return _refused(decision, schema, kind, expected)
    try:
        return _fits(schema, _answer(decision, kind, local(schema, schema)))
    except BadAnswer as error:
        return refuse(decision, str(error), VALUE if kind == "value" else error.key)


def _refused(decision: Decision, schema: Schema, kind: Answer | None, expected: Reply | None) -> Resume | End:
    """Say no in the schema's words, or the function's; one that takes no "no" is not answered at all."""
    if kind != "yes_or_no":
        return _fits(schema, declared(decision, expected)) if callable(expected) else End(why_ended(decision))
    try:
        return _fits(schema, value=False)
    except BadAnswer:
        return End(why_ended(decision))


def _answer(decision: Decision, kind: Answer | None, root: Schema) -> Any:
    match decision.verdict, kind:
        case "approve", "yes_or_no":
            return True
        case "respond", "text":
            return decision.text
        case "choose", "choice":
            choices = _choices(root)
            for option, choice in zip(_options(choices), choices, strict=True):
                if option.id == decision.choice:
                    return choice.value
            raise BadAnswer(f"{decision.choice!r} is not on offer.")
        case "approve", "fields":
            return decision.proposal
        case "approve", "value" if isinstance(decision.proposal, dict) and VALUE in decision.proposal:
            return decision.proposal[VALUE]
        case _:
            raise BadAnswer(f"The graph asks for an answer that “{decision.verdict}” does not give.")


def _fits(schema: Schema, value: Any) -> Resume:
    check(schema, value, "The answer")
    return Resume(value)


def _choices(root: Schema) -> list[_Choice]:
    """List the values of an enum, or of constants, that buttons or a menu can offer."""
    told = _alternatives(root)
    simple = all(one.value is None or isinstance(one.value, str | int | float) for one in told)
    few = 0 < len(told) <= _MOST_OPTIONS
    return told if few and simple and all(str(one.value).strip() for one in told) else []


def _alternatives(root: Schema) -> list[_Choice]:
    if isinstance(values := root.get("enum"), list):
        return [_Choice(value) for value in values]
    parts = root.get("oneOf") or root.get("anyOf")
    told = [mapping(part) for part in parts] if isinstance(parts, list) else []
    if told and all("const" in part for part in told):
        return [_Choice(part["const"], part.get("title"), part.get("description")) for part in told]
    return [_Choice(root["const"])] if "const" in root else []


def _options(choices: list[_Choice]) -> tuple[Option, ...]:
    """Offer each value under itself; under its place where two would read the same, or it is too long."""
    texts = [one.value if isinstance(one.value, str) else json.dumps(one.value) for one in choices]
    clear = len(set(texts)) == len(texts) and all(len(text) <= 100 for text in texts)
    return tuple(
        Option(
            id=text if clear else str(place),
            label=(_words(one.title) or text)[:500],
            description=(_words(one.about) or "")[:2000] or None,
        )
        for place, (text, one) in enumerate(zip(texts, choices, strict=True), 1)
    )


def _words(told: Any) -> str | None:
    return told if isinstance(told, str) and told.strip() else None


def _defaults(schema: Schema) -> dict[str, Any]:
    told = {key: mapping(field).get("default") for key, field in mapping(schema.get("properties")).items()}
    return {key: value for key, value in told.items() if value is not None}


def _wrapped(schema: Schema) -> Schema:
    inner = {key: value for key, value in schema.items() if key not in DEFINITIONS}
    field = {"title": "Answer", **inner}
    return rooted({"type": "object", "properties": {VALUE: field}, "required": [VALUE]}, schema)
