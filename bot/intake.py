"""What may start a thread: a workflow of the catalog, and an input that fits its model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from bot.approvals.canonical import is_storable
from bot.approvals.errors import SignoffError
from bot.approvals.states import Autonomy
from bot.approvals.workflow import Workflow
from bot.engine.catalog import Catalog
from bot.engine.raised import line, own_words
from bot.facts.threads import Start

DEEPEST = 100
"""Levels of nesting in an input."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What JSON can carry and Postgres' jsonb cannot: the zero character, and halves of characters."""


class UnknownWorkflow(SignoffError):
    """There is no workflow of that name in the catalog."""


class BadAutonomy(SignoffError):
    """The workflow does not let a run be started with that autonomy."""


class BadInput(SignoffError):
    """The input does not fit the workflow's model; nothing was started.

    `problems` are pairs of a field's path (`lines.0.amount`, empty for the whole input) and what is wrong.
    """

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{field}: {wrong}" if field else wrong for field, wrong in problems))
        self.problems = problems

    @property
    def field(self) -> str:
        """The path of the first field that is wrong."""
        return self.problems[0][0]

    @property
    def message(self) -> str:
        """What is wrong with it."""
        return self.problems[0][1]


def begin(
    catalog: Catalog,
    workflow: str,
    given: Any,
    *,
    starter: str,
    requester: str | None = None,
    idempotency_key: str | None = None,
    autonomy: str = "on_action",
) -> Start:
    """Return what `bot.facts.threads.start` records; raises `UnknownWorkflow`, `BadAutonomy` and `BadInput`.

    `given` is parsed JSON. It is kept as it came: the workflow reads it through the same model.
    """
    entry = catalog.entries.get(workflow)
    if entry is None:
        there_are = ", ".join(sorted(catalog.entries)) or "none"
        raise UnknownWorkflow(f"There is no workflow {workflow!r}; there are: {there_are}.")
    allowed = permitted(entry.workflow, autonomy)
    check(entry.workflow, given)
    return Start(workflow, given, starter, requester, idempotency_key, allowed, hides=entry.workflow.hides)


def permitted(workflow: Workflow, autonomy: str) -> Autonomy:
    """Return the autonomy of a run; raises `BadAutonomy` where its workflow does not allow that."""
    allowed = {name: name for name in workflow.autonomy}
    if autonomy not in allowed:
        raise BadAutonomy(
            f"{workflow.name} cannot run with autonomy {autonomy!r}; it allows {', '.join(allowed)}."
        )
    return allowed[autonomy]


def check(workflow: Workflow, given: Any) -> None:
    """Raise `BadInput` where `given` is no JSON object that fits the workflow's model and can be stored."""
    if not isinstance(given, dict):
        raise BadInput((("", f"give a JSON object, not {_kind(given)}"),))
    problems = tuple(_unstorable(given, ()))
    if problems:
        raise BadInput(problems)
    if workflow.input is None:
        return
    try:
        workflow.input.model_validate_json(json.dumps(given))
    except ValidationError as error:
        raise BadInput(
            tuple(
                (".".join(map(str, each["loc"])), own_words(each["msg"]))
                for each in error.errors(include_url=False, include_context=False, include_input=False)
            )
        ) from None
    except Exception as error:  # a validator of the workflow's own may raise anything
        raise BadInput((("", f"the workflow's input model raised {line(error)}"),)) from error


def _unstorable(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    where = ".".join(path)
    match value:
        case _ if len(path) > DEEPEST:
            yield ".".join(path[:5]), f"is nested more than {DEEPEST} levels deep"
        case dict():
            for key, inner in value.items():
                if _UNSTORABLE.search(key):
                    yield where, "has a name with a character that cannot be stored (zero, or half of one)"
                else:
                    yield from _unstorable(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from _unstorable(inner, (*path, str(index)))
        case str() if _UNSTORABLE.search(value):
            yield where, "has a character that cannot be stored (zero, or half of one)"
        case float() if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN
            yield where, "is not a finite number"
        case int() if not is_storable(value):
            yield where, "is a whole number of more than 64 bits, which cannot be stored; give it as text"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "a number"
