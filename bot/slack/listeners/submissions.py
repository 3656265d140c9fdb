"""Modals that decide: recorded before they close, and kept open with what was typed where they cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.facts.votes import Click, NotRecorded, Recorded
from bot.postgres.away import DatabaseAway
from bot.postgres.rows import Approval, Thread
from bot.slack.blocks.drawn import fits_ack
from bot.slack.cards.refusals import refusal, titled
from bot.slack.listeners.desk import UNSURE, Desk
from bot.slack.listeners.window import Person, person_of
from bot.slack.token import Token
from bot.slack.views import modals
from bot.slack.views.editing import Editing
from bot.slack.views.submitted import (
    Mistyped,
    edited,
    first_input,
    misfit,
    typed,
    words,
)

_REFUSED = (
    "Nothing you typed was recorded, and Slack did not let me say why here. "
    "Copy what you want to keep; the card shows how things stand."
)

_FOR_NOW = ("unchecked", "voters_unchecked")
"""Why something was not recorded that may be in a moment, as it stands."""

Reading = Callable[[dict[str, Any]], dict[str, Any]]
"""How a form of words is read; one of fields has none."""


def register(app: AsyncApp, desk: Desk) -> None:
    forms: dict[str, Reading | None] = {
        modals.EDIT_FORM: None,
        modals.CORRECT_FORM: None,
        modals.REJECT_FORM: lambda view: {"verdict": "reject", "comment": words(view)},
        modals.NOTE_FORM: lambda view: {"verdict": "approve", "comment": words(view)},
        modals.RESPOND_FORM: lambda view: {"verdict": "respond", "text": words(view)},
    }
    for callback_id, reading in forms.items():
        app.view(callback_id)(_submission(desk, reading))


async def answer_unknown_form(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """A form of another version, or nobody's: it is not closed in silence, nor with what was typed in it."""
    view = body["view"]
    await put(desk, ack, view, modals.refusal_view(refusal("unknown"), typed(view)))
    await desk.unread(person_of(body), view["callback_id"])


def _submission(desk: Desk, reading: Reading | None) -> Callable[..., Any]:
    async def on_submit(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _submit(desk, ack, body, reading)

    return on_submit


async def _submit(desk: Desk, ack: AsyncAck, body: dict[str, Any], reading: Reading | None) -> None:
    """Record, then close the modal; or keep it, with what was typed and what is wrong or who was first."""
    person, view = person_of(body), body["view"]
    editing = Editing.parse(view.get("private_metadata"))
    if editing is None:
        await answer_unknown_form(desk, ack, body)
        return
    try:
        answer = await _record(desk, person, view, editing, reading)
    except Mistyped as wrong:
        await keep_open(ack, view, wrong.by_block)
    except DatabaseAway:
        await keep_open(ack, view, {first_input(view): UNSURE})
    else:
        if isinstance(answer, dict):
            await put(desk, ack, view, answer)
            return
        await ack()
        if isinstance(answer, Recorded):
            await desk.tell_recorded(person, answer)
        await desk.home_changed(person.user)


async def keep_open(ack: AsyncAck, view: dict[str, Any], errors: dict[str, str]) -> None:
    """Show errors at their fields; where a form has none, above it, with all that was done in it."""
    if "" not in errors:
        await ack(response_action="errors", errors=errors)
        return
    told = modals.complaining(view, errors[""])
    if fits_ack(told):
        await ack(response_action="update", view=told)
    else:
        await ack(response_action="push", view=modals.on_top(told))


async def put(desk: Desk, ack: AsyncAck, view: dict[str, Any], answer: dict[str, Any]) -> None:
    """Put a view in the place of the one that was submitted.

    One that no acknowledgement can carry is put there before it, which then says the first of it on top.
    """
    if fits_ack(answer):
        await ack(response_action="update", view=answer)
    elif await desk.window.redrawn(view["id"], answer):
        await ack(response_action="push", view=modals.on_top(answer))
    else:
        await keep_open(ack, view, {first_input(view): _REFUSED})


async def _record(
    desk: Desk, person: Person, view: dict[str, Any], editing: Editing, reading: Reading | None
) -> dict[str, Any] | Recorded | Approval:
    """Cast the vote; returns what was recorded, now or before, or the view that says why it was not."""
    outcome: Recorded | Approval | NotRecorded
    if reading is not None:
        outcome = await desk.cast(_click(person, editing.token, reading(view)))
    elif editing.correcting:
        values = await _typed_in(desk, person, editing, view)
        said = {"verdict": "approve", "corrects": True}
        outcome = await desk.correct(_click(person, editing.token, said), values)
    else:
        said = {"verdict": "approve", "proposal": await _typed_in(desk, person, editing, view)}
        outcome = await desk.cast(_click(person, editing.token, said))
    if not isinstance(outcome, NotRecorded):
        return outcome
    if outcome.approval is not None and outcome.wrong is not None:
        raise misfit(outcome.approval, view, outcome.wrong)
    if outcome.approval is not None and outcome.stands:
        return outcome.approval
    if outcome.approval is not None and outcome.why in ("settled", "outdated"):
        return await taken(desk, outcome.approval, outcome.thread, view)
    if outcome.why in _FOR_NOW:
        raise Mistyped({first_input(view): refusal(outcome.why)})
    text = await desk.wording(person, outcome)
    return modals.refusal_view(titled(outcome.approval, text) if outcome.approval else text, typed(view))


async def taken(
    desk: Desk, approval: Approval, thread: Thread | None, view: dict[str, Any]
) -> dict[str, Any]:
    """Return what takes the place of a form that came too late, with what was typed in it."""
    link = await desk.link_to_new(approval)
    return modals.taken_modal(approval, approval.edited_by, typed(view), thread, link)


def _click(person: Person, token: Token, said: dict[str, Any]) -> Click:
    return Click(
        user=person.user, team=person.team, approval_id=token.approval_id, revision=token.revision, **said
    )


async def _typed_in(desk: Desk, person: Person, editing: Editing, view: dict[str, Any]) -> dict[str, Any]:
    """Read a form of fields; raises `Mistyped` while it could still be put right."""
    case = await desk.case(editing.token.approval_id, person.user)
    if case is None:
        return {}
    try:
        # Off the event loop: a hostile schema can take half a second to check.
        return await asyncio.to_thread(edited, case.approval, editing, view)
    except Mistyped:
        if editing.is_open(case.approval):
            raise
        return {}  # too late whatever it says: casting it tells who was first, and leaves its audit row
