"""`start`: a thread from the command line."""

from __future__ import annotations

import asyncio
import json
from os.path import isfile

from bot import logs
from bot.approvals.policy import is_user
from bot.commands.database import desk, operator
from bot.commands.printing import say, say_json
from bot.commands.told import WrongUsage, read_text
from bot.engine.catalog import load
from bot.facts import threads
from bot.facts.threads import Start
from bot.house import bare_graph
from bot.intake import BadAutonomy, BadInput, UnknownWorkflow, begin
from bot.settings import Settings


def start(workflow: str, given: str, requester: str | None, autonomy: str, *, as_json: bool) -> None:
    """Check what it starts from, record it, and print its id. Exits 2 where the input does not fit."""
    settings = Settings()
    logs.set_up(settings.log_format)
    catalog = load(settings.workflows, bare_graph(settings))
    if requester is not None and not is_user(requester):
        raise WrongUsage(f"--requester: {requester!r} is not a Slack user id (U…)")
    try:
        wanted = begin(
            catalog,
            workflow,
            _parsed(given),
            starter=operator(),
            requester=requester,
            autonomy=autonomy,
        )
    except UnknownWorkflow as error:
        raise WrongUsage(str(error)) from error
    except BadAutonomy as error:
        raise WrongUsage(f"--autonomy: {error}") from error
    except BadInput as error:
        raise WrongUsage(f"--input: {error}") from error
    thread_id = asyncio.run(_record(settings, wanted))
    if as_json:
        say_json({"thread_id": thread_id}, indent=None)
    else:
        say(thread_id)


def _parsed(given: str) -> object:
    try:
        return json.loads(read_text(given))
    except (ValueError, RecursionError) as error:
        is_path = isfile(given)  # noqa: PTH113  Path.is_file() raises for what is too long to be a name
        meant = f"did you mean @{given}?" if is_path else error
        raise WrongUsage(f"--input is not JSON: {meant}") from error


async def _record(settings: Settings, wanted: Start) -> str:
    if wanted.requester:
        await _known(settings, wanted.requester)
    async with desk(settings) as at:
        return await threads.start(at.conn, at.queue, wanted)


async def _known(settings: Settings, requester: str) -> None:
    """Ask Slack whether there is such a person, where there is a token to ask with."""
    from slack_sdk.errors import SlackApiError

    from bot.api.requester import UNKNOWN
    from bot.commands.told import Failed
    from bot.slack.app import web_client
    from bot.slack.workspace.directory import Unreachable
    from bot.slack.workspace.failures import code_of
    from bot.slack.workspace.people import teams_of

    if settings.slack_bot_token is None:
        return
    client = web_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, patient=True)
    try:
        user = (await client.users_info(user=requester))["user"]
        team = (await client.auth_test())["team_id"]
    except SlackApiError as error:
        code = code_of(error)
        if code in UNKNOWN:
            raise WrongUsage(f"--requester: Slack does not know {requester} ({code})") from error
        if code:
            raise Failed(f"Slack will not say who the requester is ({code}): run `signoff doctor`") from error
        raise Failed("Slack did not answer whether the requester exists: try again") from error
    except Unreachable as error:
        raise Failed(
            f"Slack cannot be reached to check the requester ({type(error).__name__}): try again"
        ) from error
    if team not in (teams_of(user) or [team]):
        raise WrongUsage(f"--requester: {requester} belongs to another Slack workspace")
    if user.get("deleted") or user.get("is_bot"):
        raise WrongUsage(f"--requester: {requester} is a bot or deactivated; name a person")
