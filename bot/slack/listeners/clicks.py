"""Buttons that decide at once: Approve, and the options to choose from."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.approvals.policy import Verdict
from bot.facts.votes import Click, NotRecorded
from bot.slack import token as ids
from bot.slack.cards.refusals import refusal
from bot.slack.listeners.desk import Desk
from bot.slack.listeners.window import Person, person_of
from bot.slack.token import Token, read_value


def register(app: AsyncApp, desk: Desk) -> None:
    @app.action(ids.APPROVE)
    async def on_approve(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _decide(desk, ack, body, "approve")

    @app.action(re.compile(rf"{re.escape(ids.CHOOSE)}(\.\d+)?"))
    async def on_choose(ack: AsyncAck, body: dict[str, Any]) -> None:
        await _decide(desk, ack, body, "choose")


async def _decide(desk: Desk, ack: AsyncAck, body: dict[str, Any], verdict: Verdict) -> None:
    """Record first, acknowledge second, talk third; nothing after the ack can raise."""
    person = person_of(body)
    token, option = token_and_option(body["actions"][0])
    if token is None:
        await refuse_unknown(desk, ack, person, body)
        return
    async with desk.answering(person):
        outcome = await desk.cast(click_of(body, person, token, verdict, option=option))
    await ack()
    if isinstance(outcome, NotRecorded):
        await desk.tell_why(person, outcome)
    else:
        await desk.tell_recorded(person, outcome)
    if (body.get("view") or {}).get("type") == "home":
        await desk.home_changed(person.user)


async def refuse_unknown(desk: Desk, ack: AsyncAck, person: Person, body: dict[str, Any]) -> None:
    """A button of another version, or nobody's, that may be meant to decide: answered, and in the audit."""
    await answer_unknown(desk, ack, person)
    await desk.unread(person, body["actions"][0]["action_id"])


async def answer_unknown(desk: Desk, ack: AsyncAck, person: Person) -> None:
    """A button that nobody knows: never silent, and it changes nothing."""
    await ack()
    await desk.window.whisper(person, refusal("unknown"))


def token_and_option(action: dict[str, Any]) -> tuple[Token | None, int | None]:
    """Read which approval an element stands for, and which option of it, counted from 0."""
    selected = (action.get("selected_option") or {}).get("value")
    if selected is not None:
        token, wanted = read_value(selected) or (None, "")
        return token, _place(wanted)
    return Token.parse(action.get("value")), _place(action["action_id"].rpartition(".")[2])


def _place(digits: str) -> int | None:
    return int(digits) if re.fullmatch(r"[0-9]{1,4}", digits) else None


def click_of(body: dict[str, Any], person: Person, token: Token, verdict: Verdict, **more: Any) -> Click:
    """Read a click on a message; one in the App Home has no place."""
    container = body.get("container") or {}
    on_message = container.get("type") == "message"
    return Click(
        user=person.user,
        team=person.team,
        approval_id=token.approval_id,
        revision=token.revision,
        verdict=verdict,
        channel=container.get("channel_id") if on_message else None,
        ts=container.get("message_ts") if on_message else None,
        **more,
    )
