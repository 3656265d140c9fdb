"""A person types a slash command or picks a shortcut."""

from __future__ import annotations

from dataclasses import replace

from bot.emulator import payloads, response_urls
from bot.emulator.delivery import Ack
from bot.emulator.errors import CannotDo, SlackError
from bot.emulator.line import Line


async def command(line: Line, user: str, channel_id: str, name: str, text: str, *, times: int = 1) -> Ack:
    """Send a slash command; an answer in the ack is shown as Slack shows it."""
    person, channel = line.person(user), line.channel(user, channel_id)
    if line.commands and name not in line.commands:
        raise CannotDo(f"{name} is not a valid command")
    answer = payloads.Answer(
        line.slack.screens.issue(user, line.slack.now()), line.response_urls.issue(user, channel_id)
    )
    payload = payloads.command(line.slack, person, channel, (name, text), answer)
    ack = await line.delivery.deliver("slash_commands", payload, times=times)
    if ack.acked and ack.body:
        try:
            response_urls.answer(line.slack, response_urls.Address(user, channel_id, 0.0), ack.body)
        except SlackError as refusal:
            return replace(ack, acked=False, error="bad_response", detail=str(refusal.body()))
    return ack


async def shortcut(line: Line, user: str, callback_id: str) -> Ack:
    """Pick a global shortcut."""
    line.person(user)
    now = line.slack.now()
    trigger = line.slack.screens.issue(user, now)
    return await line.delivery.deliver(
        "interactive", payloads.shortcut(line.slack, user, callback_id, trigger, f"{now:.6f}")
    )
