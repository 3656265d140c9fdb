"""Buttons that decide at once: Approve, and the options to choose from."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.approvals.policy import Verdict
from bot.facts.votes import Click, NotRecorded
from bot.slack import token as ids
from bot.slack.listeners.desk import DatabaseAway, Desk, NotDone, Person, person_of
from bot.slack.listeners.home import publish
from bot.slack.refusals import refusal
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
    person, action = person_of(body), body["actions"][0]
    token, index = token_and_index(action)
    try:
        answer = await _recorded(desk, person, body, token, verdict, index)
    except DatabaseAway as error:
        await desk.whisper(person, refusal("busy"))
        raise NotDone from error
    await ack()
    if answer is not None:
        await desk.whisper(person, answer)
    if (body.get("view") or {}).get("type") == "home":
        await publish(desk, person.user)


async def _recorded(
    desk: Desk, person: Person, body: dict[str, Any], token: Token | None, verdict: Verdict, index: int | None
) -> str | None:
    """Cast the vote; returns the private answer where there is something to say."""
    if token is None:
        return refusal("unknown")
    choice = await option_id(desk, token, person, index) if verdict == "choose" else None
    click = click_of(body, person, token, verdict, choice=choice)
    outcome = await desk.cast(click)
    return await refused_text(desk, outcome) if isinstance(outcome, NotRecorded) else None


def token_and_index(action: dict[str, Any]) -> tuple[Token | None, int | None]:
    """Read which approval an element stands for, and which option of it."""
    selected = (action.get("selected_option") or {}).get("value")
    if selected is not None:
        found = read_value(selected)
        return (found[0], int(found[1]) if found[1].isdigit() else None) if found else (None, None)
    suffix = action["action_id"].rpartition(".")[2]
    return Token.parse(action.get("value")), int(suffix) if suffix.isdigit() else None


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


async def option_id(desk: Desk, token: Token, person: Person, index: int | None) -> str | None:
    """Turn the index of a button into the option's id, which never leaves the database."""
    case = await desk.case(token.approval_id, person.user)
    options = case.approval.request.options if case else ()
    return options[index].id if index is not None and index < len(options) else None


async def refused_text(desk: Desk, outcome: NotRecorded) -> str:
    """Word why nothing was recorded."""
    groups, link = await desk.mentions(outcome.approval)
    return refusal(outcome.why, outcome.approval, groups, link)
