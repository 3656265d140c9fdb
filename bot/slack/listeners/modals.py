"""Buttons that open something: a reason, a note, an answer, an edit, everything."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.facts.votes import NotRecorded
from bot.postgres.rows import Approval, Thread
from bot.slack import token as ids
from bot.slack.listeners.clicks import answer_unknown, click_of, refuse_unknown
from bot.slack.listeners.desk import NOT_SHOWN, Desk
from bot.slack.listeners.window import person_of, unraised
from bot.slack.token import Token, read_value
from bot.slack.views.modals import (
    approve_note_modal,
    correct_modal,
    edit_modal,
    reject_modal,
    respond_modal,
    whole_modal,
)

Modal = Callable[[Token, Approval, Thread | None], dict[str, Any]]
Intent = tuple[Modal, dict[str, Any]]

REJECT: Intent = (reject_modal, {"verdict": "reject"})
RESPOND: Intent = (respond_modal, {"verdict": "respond"})
NOTE: Intent = (approve_note_modal, {"verdict": "approve"})
CORRECT: Intent = (correct_modal, {"verdict": "approve", "corrects": True})
EDIT: Intent = (edit_modal, {"verdict": "approve", "proposal": {}})


def register(app: AsyncApp, desk: Desk) -> None:
    for action_id, intent in ((ids.REJECT, REJECT), (ids.RESPOND, RESPOND), (ids.EDIT, EDIT)):
        app.action(action_id)(_opener(desk, intent))

    @app.action(ids.MORE)
    async def on_more(ack: AsyncAck, body: dict[str, Any]) -> None:
        found = read_value((body["actions"][0].get("selected_option") or {}).get("value"))
        token, wanted = found or (None, "")
        if wanted == ids.NOTE:
            await _open(desk, ack, body, token, NOTE)
        elif wanted == ids.CORRECT:
            await _open(desk, ack, body, token, CORRECT)
        elif wanted == ids.ALL:
            await _show(desk, ack, body, token)
        else:
            await refuse_unknown(desk, ack, person_of(body), body)

    @app.action(ids.WHOLE)
    async def on_whole(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _show(desk, ack, body, Token.parse(body["actions"][0].get("value")))

    @app.action(re.compile(rf"{re.escape(ids.PAGE)}\.(previous|next)"))
    async def on_page(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _turn(desk, ack, body)

    @app.action(re.compile(rf"{re.escape(ids.OPEN)}(\.\d+)?"))
    async def on_link(ack: AsyncAck) -> None:
        await ack()


def _opener(desk: Desk, intent: Intent) -> Callable[..., Any]:
    async def on_open(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _open(desk, ack, body, Token.parse(body["actions"][0].get("value")), intent)

    return on_open


async def _open(desk: Desk, ack: AsyncAck, body: dict[str, Any], token: Token | None, intent: Intent) -> None:
    """Open a modal for whoever could submit it; anybody else is told why not."""
    person = person_of(body)
    modal, verdict = intent
    if token is None:
        await refuse_unknown(desk, ack, person, body)
        return
    async with desk.answering(person, NOT_SHOWN):
        case = await desk.may_begin(click_of(body, person, token, **verdict))
    # Acknowledged before the modal is there: Slack may be slow to open it, and nothing rests on it.
    await ack()
    if isinstance(case, NotRecorded):
        await desk.tell_why(person, case)
        return
    with unraised("modal_not_drawn", user=person.user):
        await desk.window.open(person, modal(token, case.approval, case.thread))


async def _show(desk: Desk, ack: AsyncAck, body: dict[str, Any], token: Token | None) -> None:
    """Show everything to whoever sees the card: that is no decision, and settled cards have it too."""
    person = person_of(body)
    async with desk.answering(person, NOT_SHOWN):
        case = await desk.case(token.approval_id, person.user) if token else None
    if case is None:
        await answer_unknown(desk, ack, person)
        return
    await ack()
    with unraised("modal_not_drawn", user=person.user):
        await desk.window.open(person, whole_modal(case.approval))


async def _turn(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person, found = person_of(body), read_value(body["actions"][0].get("value"))
    async with desk.answering(person, NOT_SHOWN):
        case = await desk.case(found[0].approval_id, person.user) if found else None
    page = found[1].removeprefix("p") if found else ""
    if case is None or not page.isdigit():
        await answer_unknown(desk, ack, person)
        return
    await ack()
    with unraised("modal_not_drawn", user=person.user):
        await desk.window.turn(person, body["view"], whole_modal(case.approval, int(page)))
