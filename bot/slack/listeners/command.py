"""`/approvals`: what waits for me, what I asked for, and how to start something."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bot.approvals.errors import SignoffError
from bot.postgres.away import DatabaseAway
from bot.postgres.inbox import inbox
from bot.slack.blocks.drawn import Drawn
from bot.slack.blocks.text import unescaped
from bot.slack.listeners.deadline import within
from bot.slack.listeners.desk import NOT_SHOWN, Desk
from bot.slack.views.command import Startable, help_text, lists, not_started, started

UNSURE_START = (
    "The database did not answer in time, so I cannot say that it was started. "
    "Look with `/approvals` at what you asked for before you try again."
)


@dataclass(frozen=True)
class Intake:
    """How threads are started from Slack: what there is, and a call that starts one for a user.

    `start` takes the workflow, its input, the user, what stays the same when Slack repeats itself, and the
    autonomy.
    """

    offers: Callable[[], Sequence[Startable]]
    start: Callable[[str, dict[str, Any], str, str | None, str], Coroutine[Any, Any, str]]


def register(app: AsyncApp, desk: Desk, intake: Intake) -> None:
    @app.command("/approvals")
    async def on_command(ack: AsyncAck, command: dict[str, Any], context: AsyncBoltContext) -> None:
        try:
            answer = await _answer(desk, intake, command, context)
        except DatabaseAway:
            answer = Drawn(NOT_SHOWN, [])
        await ack(response_type="ephemeral", text=answer.text, blocks=answer.blocks or None)


async def _answer(desk: Desk, intake: Intake, command: dict[str, Any], context: AsyncBoltContext) -> Drawn:
    user = command["user_id"]
    # Slack documents entities for messages and says nothing of commands; nobody types them by hand.
    verb, rest = _word(unescaped(command.get("text", "")))
    match verb:
        case "":
            return lists(await desk.ask(lambda conn: inbox(conn, user)))
        case "start":
            if why := await _barred(desk, command, context):
                return not_started(why)
            return await _start(desk, intake, user, rest, command.get("trigger_id") or None)
        case _:
            return help_text(intake.offers(), "" if verb == "help" else verb)


async def _barred(desk: Desk, command: dict[str, Any], context: AsyncBoltContext) -> str | None:
    """Say why somebody may start nothing; of who is in several workspaces Slack may name any one."""
    us = context.authorize_result
    if us is not None and command["team_id"] == us.team_id:
        return None
    match await desk.is_ours(command["user_id"]):
        case True:
            return None
        case False:
            return "people of other workspaces may not start anything here"
        case None:
            return "I could not check with Slack that you belong to this workspace; please try again"


async def _start(desk: Desk, intake: Intake, user: str, text: str, key: str | None) -> Drawn:
    name, given = _word(text)
    if not name:
        return not_started("name a workflow", intake.offers())
    autonomy, given = _autonomy(given)
    try:
        parsed = _parsed(given or "{}")
    except ValueError as error:
        return not_started(f"the input is not JSON: {error}")
    except RecursionError:
        return not_started("the input is nested too deeply to be read as JSON")
    if not isinstance(parsed, dict):
        return not_started('the input must be a JSON object, such as {"amount": 5}')
    try:
        starting = intake.start(name, parsed, user, key, autonomy)
        return started(name, await within(desk.patience.database, starting))
    except DatabaseAway:
        return Drawn(UNSURE_START, [])
    except SignoffError as error:
        offers = intake.offers()
        return not_started(str(error), [one for one in offers if one.name == name] or offers)


def _autonomy(given: str) -> tuple[str, str]:
    """Take `--autonomy MODE` from before the input or after it; what is no mode is refused as one."""
    if last := re.search(r"\s(?:--|\u2014|\u2013)autonomy[\s=]+(\w+)$", given):
        return last[1], given[: last.start()]
    option = re.match("(--|\u2014|\u2013)autonomy", given)
    return _word(given[option.end() :].lstrip(" =")) if option else ("on_action", given)


def _parsed(given: str) -> Any:
    """Read JSON; where it is none, with straight quotes for those that Macs and phones make of typed ones."""
    try:
        return json.loads(given)
    except ValueError:
        straight = re.sub("[\u201c\u201d\u201e]", '"', given)
        with suppress(ValueError):
            return json.loads(straight)
        raise


def _word(text: str) -> tuple[str, str]:
    """Part the first word from the rest, which may begin on a line of its own."""
    word, rest = [*text.split(maxsplit=1), "", ""][:2]
    return word, rest.strip()
