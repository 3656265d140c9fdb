"""Fields of values that must be given and that no other field holds, written as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from bot.approvals.canonical import canonical
from bot.approvals.confidential import Names, veiled
from bot.approvals.errors import BadRequest
from bot.slack.blocks.text import cut
from bot.slack.form.kind import NOTHING, Block, Reply, Unfit, emptied
from bot.slack.form.schema import Schema, Schemas, mapping
from bot.slack.form.text import LONGEST, legible

_DEEPEST = 4


@dataclass(frozen=True)
class Written:
    """JSON such as the `example`; what is none is text where the schema takes text."""

    example: str
    takes_text: bool

    def holds(self, value: Any) -> bool:
        return legible(_said(value))

    def element(self, now: Any) -> Block:
        element: Block = {"type": "plain_text_input", "multiline": True, "max_length": LONGEST}
        return element if now is NOTHING else {**element, "initial_value": _said(now)}

    def answer(self, state: Block, now: Any) -> Any:
        typed = state.get("value")
        if not isinstance(typed, str) or not typed.strip():
            return emptied(now)
        if now is not NOTHING and typed.strip() == _said(now):
            return Reply.SAME
        if not legible(typed):
            raise Unfit("Too long, or holds invisible control characters; type it again without them.")
        try:
            return _read(typed)
        except ValueError:
            if self.takes_text:
                return typed
            raise Unfit(f"Must be JSON, such as: {self.example}") from None

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - no JSON is empty
        return False

    def words(self) -> list[str]:
        if not self.takes_text:
            return [f"Written as JSON, such as: {self.example}"]
        if self.example.startswith('"'):
            return ["Text, or any JSON."]
        return [f"Text, or JSON such as: {self.example}"]


def written(schemas: Schemas, key: str, schema: Schema, hidden: Names) -> Written:
    """Take JSON as the value of `key`; its example masks what is confidential, such as a default."""
    branches = schemas.shape(schema).branches
    text = any(branch.get("type", "string") == "string" for branch in branches if "properties" not in branch)
    example = veiled({key: _example(schemas, schema, _DEEPEST)}, hidden)[key]
    return Written(cut(_said(example), 300), text)


def _read(typed: str) -> Any:
    """Read JSON, with the quotes that phones and Macs make of straight ones; raises ValueError for none."""
    for text in (typed, re.sub("[\u201c\u201d\u201e]", '"', typed)):
        try:
            value = json.loads(text)
            canonical(value)
        except (json.JSONDecodeError, RecursionError):
            continue
        except BadRequest as error:
            raise Unfit(str(error).replace("The payload holds", "Holds")) from error
        return value
    raise ValueError("no JSON")


def _example(schemas: Schemas, schema: Any, depth: int) -> Any:
    """Make up a value of the schema's kind, to show how it is written."""
    shape = schemas.shape(schema)
    told = {**shape.about, **(shape.branches[0] if shape.branches else {})}
    for keyword in ("const", "default"):
        if told.get(keyword) is not None:
            return told[keyword]
    for keyword in ("examples", "enum"):
        if isinstance(told.get(keyword), list) and told[keyword]:
            return told[keyword][0]
    match told.get("type"):
        case "object" if depth:
            others = mapping(told.get("additionalProperties"))
            held = mapping(told.get("properties")) or ({"name": others} if others else {})
            return {key: _example(schemas, one, depth - 1) for key, one in held.items()}
        case "array" if depth:
            tuple_ = told.get("prefixItems") or told.get("items")
            inside = tuple_ if isinstance(tuple_, list) else [tuple_ or {}]
            return [_example(schemas, one, depth - 1) for one in inside]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "text"


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
