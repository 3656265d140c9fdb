"""A submitted modal read: the words in it, or the proposal as edited."""

from __future__ import annotations

import re
from typing import Any

from bot.approvals.canonical import canonical
from bot.approvals.errors import BadAnswer, BadRequest
from bot.postgres.rows import Approval
from bot.slack import modals
from bot.slack.form import Errors, block_of, read
from bot.slack.text import cut, line

_HALF = re.compile("[\ud800-\udfff]")


class Mistyped(Exception):
    """What a person typed does not fit: one line for each block that is wrong."""

    def __init__(self, by_block: dict[str, str]) -> None:
        super().__init__(str(by_block))
        self.by_block = by_block


def edited_proposal(approval: Approval, view: dict[str, Any]) -> dict[str, Any]:
    """Read the edited proposal, its types kept; raises `Mistyped`."""
    values = view["state"]["values"]
    found = read(approval.request.proposal_schema, approval.proposal or {}, values)
    if isinstance(found, Errors):
        raise Mistyped(found.by_block or {first_input(view): found.general or "This does not fit."})
    try:
        canonical(found.value)
    except BadRequest as error:
        raise Mistyped({first_input(view): str(error)}) from error
    return found.value


def words(view: dict[str, Any]) -> str:
    """Read the one text of a form, without what Postgres' jsonb cannot hold; raises `Mistyped`."""
    said: str = view["state"]["values"][modals.WORDS_BLOCK][modals.WORDS_ACTION].get("value") or ""
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


def first_input(view: dict[str, Any]) -> str:
    """Return the id of the first field, "" where there is none."""
    return next((str(block["block_id"]) for block in view["blocks"] if block["type"] == "input"), "")
