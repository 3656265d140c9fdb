"""`interrupt(value, response_schema=…)`: the modal comes from the schema, and the answer must fit it.

Source: langgraph 1.2, types.interrupt: it shows the JSON Schema of a type, and checks the answer by the type
before it is stored. A schema given as a dict it only shows; here its answer is checked, too.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from bot.approvals.decision import Decision
from bot.approvals.dialects.actions import refuse
from bot.approvals.dialects.asked import Asked, End, Original, Resume
from bot.approvals.dialects.checking import Schema, check, local, mapping
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


def answer_to(schema: Schema | None) -> Answer | None:
    """Tell what the schema asks for; None where it takes anything, which is no better than none."""
    root = local(schema, mapping(schema))
    match root.get("type"):
        case "boolean":
            return "yes_or_no"
        case "string" if not _choices(root):
            return "text"
        case "object" if mapping(root.get("properties")):
            return "fields"
        case "object":
            return None
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
            asks |= {"proposal": _defaults(root), "proposal_schema": _rooted(root, schema)}
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
            values = _choices(root)
            for option, value in zip(_options(values), values, strict=True):
                if option.id == decision.choice:
                    return value
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


def _choices(root: Schema) -> list[Any]:
    """List the values of an enum that buttons or a menu can offer."""
    values = root.get("enum")
    if not isinstance(values, list) or not 0 < len(values) <= _MOST_OPTIONS:
        return []
    simple = all(value is None or isinstance(value, str | int | float) for value in values)
    return values if simple and all(str(value).strip() for value in values) else []


def _options(values: list[Any]) -> tuple[Option, ...]:
    """Offer each value under itself; under its place where two would read the same, or it is too long."""
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    clear = len(set(texts)) == len(texts) and all(len(text) <= 100 for text in texts)
    return tuple(
        Option(id=text if clear else str(place), label=text[:500]) for place, text in enumerate(texts, 1)
    )


def _defaults(schema: Schema) -> dict[str, Any]:
    told = {key: mapping(field).get("default") for key, field in mapping(schema.get("properties")).items()}
    return {key: value for key, value in told.items() if value is not None}


def _wrapped(schema: Schema) -> Schema:
    outer = {"type": "object", "properties": {VALUE: {"title": "Answer"}}, "required": [VALUE]}
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    outer["properties"] = {VALUE: {"title": "Answer", **inner}}
    return _rooted(outer, schema)


def _rooted(schema: Schema, root: Schema) -> Schema:
    definitions = mapping(root.get("$defs"))
    return {**schema, "$defs": definitions} if definitions else schema
