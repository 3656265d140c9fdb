"""Buttons that open something: a reason, a note, an answer, an edit, everything."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.facts.votes import Click, NotRecorded
from bot.postgres.rows import Approval, Thread
from bot.slack import token as ids
from bot.slack.listeners.clicks import click_of, refused_text
from bot.slack.listeners.desk import DatabaseAway, Desk, NotDone, Person, person_of
from bot.slack.modals import approve_note_modal, edit_modal, reject_modal, respond_modal, whole_modal
from bot.slack.refusals import refusal
from bot.slack.token import Token, read_value

Modal = Callable[[Token, Approval, Thread | None], dict[str, Any]]
Intent = tuple[Modal, dict[str, Any]]

REJECT: Intent = (reject_modal, {"verdict": "reject"})
RESPOND: Intent = (respond_modal, {"verdict": "respond"})
NOTE: Intent = (approve_note_modal, {"verdict": "approve"})
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
        else:
            await _show(desk, ack, body, token)

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
    try:
        answer = await _answer(desk, person, token and click_of(body, person, token, **verdict), modal)
    except DatabaseAway as error:
        await desk.whisper(person, refusal("busy"))
        raise NotDone from error
    await ack()
    if answer is not None:
        await desk.whisper(person, answer)


async def _answer(desk: Desk, person: Person, click: Click | None, modal: Modal) -> str | None:
    if click is None:
        return refusal("unknown")
    case = await desk.may_begin(click)
    if isinstance(case, NotRecorded):
        return await refused_text(desk, case)
    view = modal(Token(click.approval_id, click.revision), case.approval, case.thread)
    return (
        None if await desk.open(person, view) else "Slack did not let me open the form; please click again."
    )


async def _show(desk: Desk, ack: AsyncAck, body: dict[str, Any], token: Token | None) -> None:
    """Show everything to whoever sees the card: that is no decision, and settled cards have it too."""
    person = person_of(body)
    try:
        case = await desk.case(token.approval_id, person.user) if token else None
    except DatabaseAway as error:
        await desk.whisper(person, refusal("busy"))
        raise NotDone from error
    shown = case is not None and await desk.open(person, whole_modal(case.approval))
    await ack()
    if not shown:
        await desk.whisper(person, refusal("unknown"))


async def _turn(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    found = read_value(body["actions"][0].get("value"))
    case = await desk.case(found[0].approval_id, person_of(body).user) if found else None
    await ack()
    page = found[1].removeprefix("p") if found else ""
    if case is not None and page.isdigit():
        await desk.turn(body["view"], whole_modal(case.approval, int(page)))
