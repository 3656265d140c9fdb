"""A submitted modal read: the words in it, the proposal as edited, or all of it to be copied."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.approvals.canonical import canonical
from bot.approvals.errors import BadAnswer, BadRequest
from bot.postgres.rows import Approval
from bot.slack.blocks.text import cut, line, unescaped, when_plain
from bot.slack.form import BETWEEN, Errors, block_of, item_at, read, read_item
from bot.slack.views import modals
from bot.slack.views.editing import Editing

_HALF = re.compile("[\ud800-\udfff]")

TOO_MUCH = (
    "More has changed than Slack lets this form remember at once (3,000 characters). "
    "Shorten it, or take back another change."
)


class Mistyped(Exception):
    """What a person typed does not fit: one line for each block that is wrong."""

    def __init__(self, by_block: dict[str, str]) -> None:
        super().__init__(str(by_block))
        self.by_block = by_block


def edited(approval: Approval, editing: Editing, view: dict[str, Any]) -> dict[str, Any]:
    """Read what a form of fields makes of what it edits, the types kept; raises `Mistyped`."""
    found = read(*editing.subject(approval), filled_in(view), editing.draft)
    if isinstance(found, Errors):
        raise _mistyped(found, view)
    try:
        canonical(found.value)
    except BadRequest as error:
        raise Mistyped({first_input(view): str(error)}) from error
    return found.value


def kept_item(approval: Approval, editing: Editing, view: dict[str, Any]) -> Editing:
    """Read the form of one object of a list into the memory of the form below; raises `Mistyped`."""
    schema, value = editing.subject(approval)
    item = item_at(schema, value, editing.draft, editing.spot) if editing.spot else None
    if item is None:
        raise Mistyped({first_input(view): "This list can no longer be edited here."})
    found = read_item(schema, value, editing.draft, item, filled_in(view))
    if isinstance(found, Errors):
        raise _mistyped(found, view)
    kept = replace(editing, draft=found, spot=None)
    if not kept.fits:
        raise Mistyped({first_input(view): TOO_MUCH})
    return kept


def filled_in(view: dict[str, Any]) -> dict[str, Any]:
    """Return what stands in a view's inputs; where it has none, Slack sends an empty list in its place."""
    values: dict[str, Any] = view["state"]["values"] or {}
    return values


def words(view: dict[str, Any]) -> str:
    """Read the one text of a form, without what Postgres' jsonb cannot hold; raises `Mistyped`."""
    said = filled_in(view).get(modals.WORDS_BLOCK, {}).get(modals.WORDS_ACTION, {}).get("value") or ""
    text = _HALF.sub("\ufffd", said.replace("\x00", "")).strip()
    if not text:
        raise Mistyped({modals.WORDS_BLOCK: "Please write a few words."})
    return text


def misfit(approval: Approval, view: dict[str, Any], wrong: BadAnswer) -> Mistyped:
    """Say at the field that it is about why an answer is none; at the first where it is about no field."""
    first = first_input(view)
    block = block_of(approval.request.proposal_schema, approval.proposal or {}, wrong.key)
    shown = any(one.get("block_id") == block for one in view["blocks"])
    return Mistyped({block if block and shown else first: cut(line(str(wrong)), 300)})


def typed(view: dict[str, Any]) -> dict[str, Any]:
    """Return what stands in a form, labelled, so that it can be copied."""
    labels: dict[str, str] = {}
    heading = ""
    for block in view["blocks"]:
        if block["type"] == "header":
            heading = _plain(block["text"])
        elif block["type"] == "input":
            label = _plain(block["label"])
            labels[block["block_id"]] = f"{heading}{BETWEEN}{label}" if heading else label
    fields = {
        labels.get(block_id, block_id): _shown(element)
        for block_id, elements in filled_in(view).items()
        for element in elements.values()
    }
    return fields | _lists(view)


def _lists(view: dict[str, Any]) -> dict[str, Any]:
    """Return the lists of objects that were changed, each as what it is now."""
    editing = Editing.parse(view.get("private_metadata"))
    named = {
        block["block_id"]: _plain(block["text"]) for block in view["blocks"] if block["type"] == "header"
    }
    changed = editing.draft.lists if editing else {}
    return {
        named.get(f"h:{rows}", f"List {n}"): [row.words() for row in listed]
        for n, (rows, listed) in enumerate(changed.items(), 1)
    }


def _shown(element: dict[str, Any]) -> Any:
    for key in ("value", "selected_date", "selected_time"):
        if element.get(key) is not None:
            return element[key]
    if element.get("selected_date_time") is not None:
        return when_plain(datetime.fromtimestamp(element["selected_date_time"], UTC))
    chosen = element.get("selected_option")
    many = element.get("selected_options")
    if chosen:
        return _plain(chosen["text"])
    return [_plain(option["text"]) for option in many] if many else None


def _plain(shown: dict[str, Any]) -> str:
    """Return what plain text says: Slack sends it back with entities (slackapi/bolt-python#513)."""
    return unescaped(str(shown["text"]))


def _mistyped(found: Errors, view: dict[str, Any]) -> Mistyped:
    return Mistyped(found.by_block or {first_input(view): found.general or "This does not fit."})


def first_input(view: dict[str, Any]) -> str:
    """Return the id of the first field, "" where there is none."""
    return next((str(block["block_id"]) for block in view["blocks"] if block["type"] == "input"), "")
