"""Lists of objects in a form: an object opens on top of it, and comes back into it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.facts.votes import Case
from bot.postgres.away import DatabaseAway
from bot.slack.cards.refusals import refusal
from bot.slack.form import ACTION, Spot, item_at, rows_at, spot_of
from bot.slack.listeners.clicks import answer_unknown
from bot.slack.listeners.desk import NOT_SHOWN, Desk
from bot.slack.listeners.submissions import keep_open, put, taken
from bot.slack.listeners.window import Person, person_of, unraised
from bot.slack.views import modals
from bot.slack.views.editing import Editing
from bot.slack.views.modals import item_modal, modal_of, refusal_view
from bot.slack.views.submitted import TOO_MUCH, Mistyped, first_input, kept_item, typed

View = dict[str, Any]

_AWAY = "The database did not answer in time. Nothing is lost: please try again in a moment."
_NOT_REDRAWN = "Slack did not take this change back into the form. Nothing is lost: please try again."


def register(app: AsyncApp, desk: Desk) -> None:
    @app.action(re.compile(rf"{re.escape(ACTION)}\.(edit|remove|add)"))
    async def on_row(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _row(desk, ack, body)

    @app.view(modals.ITEM_FORM)
    async def on_item(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _submit(desk, ack, body)


async def _row(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Do what a row's button says, by what the view itself remembers: a repeated click does it once."""
    person, view, action = person_of(body), body.get("view") or {}, body["actions"][0]
    editing, spot = Editing.parse(view.get("private_metadata")), spot_of(action["block_id"])
    async with desk.answering(person, NOT_SHOWN):
        case = await desk.case(editing.token.approval_id, person.user) if editing and spot else None
    if editing is None or spot is None or case is None:
        await answer_unknown(desk, ack, person)
        return
    await ack()
    with unraised("row_not_drawn", user=person.user):
        if not editing.is_open(case.approval):
            await desk.window.turn(person, view, await taken(desk, case.approval, case.thread, view))
        elif action["action_id"] == f"{ACTION}.remove":
            await desk.window.turn(person, view, _without(case, editing, spot, view))
        else:
            added = action["action_id"] == f"{ACTION}.add"
            await _open(desk, person, case, editing, spot, added=added)


async def _open(desk: Desk, person: Person, case: Case, editing: Editing, spot: Spot, *, added: bool) -> None:
    schema, value = editing.subject(case.approval)
    rows = rows_at(schema, value, spot.rows)
    if rows is not None and added:
        spot = Spot(spot.rows, editing.draft.next_number(rows))
    item = item_at(schema, value, editing.draft, spot)
    if item is not None:
        await desk.window.push(person, item_modal(replace(editing, spot=spot), item))


def _without(case: Case, editing: Editing, spot: Spot, view: View) -> View:
    """Return the form without that row."""
    rows = rows_at(*editing.subject(case.approval), spot.rows)
    draft = editing.draft.without(rows, spot.number) if rows else editing.draft
    left = replace(editing, draft=draft)
    return modal_of(left, case.approval, case.thread) if left.fits else modals.complaining(view, TOO_MUCH)


async def _submit(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Take an object back into the form below, which is redrawn first: closing this one shows it."""
    person, view = person_of(body), body["view"]
    try:
        answer = await _keep(desk, person, view)
    except Mistyped as wrong:
        await keep_open(ack, view, wrong.by_block)
    except DatabaseAway:
        await keep_open(ack, view, {first_input(view): _AWAY})
    else:
        if answer is None:
            await ack()
        else:
            await put(desk, ack, view, answer)


async def _keep(desk: Desk, person: Person, view: View) -> View | None:
    """Redraw the form below with what was typed; returns the view that says why not."""
    editing = Editing.parse(view.get("private_metadata"))
    case = await desk.case(editing.token.approval_id, person.user) if editing else None
    if editing is None or case is None:
        return refusal_view(refusal("unknown"), typed(view))
    if not editing.is_open(case.approval):
        return await taken(desk, case.approval, case.thread, view)
    kept = await asyncio.to_thread(kept_item, case.approval, editing, view)
    if not await desk.window.redrawn(view["root_view_id"], modal_of(kept, case.approval, case.thread)):
        raise Mistyped({first_input(view): _NOT_REDRAWN})
    return None
