"""Slack's tokens: set, taken by Slack, with the scopes of the manifest, and of the database's workspace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from psycopg import AsyncConnection, Error
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot import manifest
from bot.commands.checkup.finding import Finding, fine, note, problem
from bot.settings import Settings
from bot.slack.workspace.badge import not_a_bots
from bot.slack.workspace.directory import Unreachable
from bot.slack.workspace.failures import code_of

PART = "slack"


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """Say what is not set."""
    if settings.slack_bot_token is None:
        yield problem(
            PART, "SLACK_BOT_TOKEN is not set", "Install the app (`signoff manifest`), and set its token."
        )
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        yield problem(
            PART,
            "Neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set: no click can arrive",
            "Set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for HTTP.",
        )
    if not settings.ops_channel:
        yield problem(
            PART, "SIGNOFF_OPS_CHANNEL is not set", "Set it to a channel of the bot's, like #signoff-ops."
        )


async def examine(client: AsyncWebClient, settings: Settings, dsn: str | None) -> AsyncIterator[Finding]:
    """Ask Slack about the tokens. Raises `Unreachable` where it does not answer."""
    try:
        said = await client.auth_test()
    except SlackApiError as error:
        if code := code_of(error):
            mend = "Set the token of the installed app."
            yield problem(PART, f"Slack refuses SLACK_BOT_TOKEN ({code})", mend)
            return
        raise SlackClientError("what answers there is not Slack") from error
    if wrong := not_a_bots(said):
        yield problem(PART, f"SLACK_BOT_TOKEN is {wrong[0]}", f"{wrong[1][:1].upper()}{wrong[1][1:]}")
        return
    yield fine(PART, f"The bot is {said['user']} in {said['team']} ({said['team_id']})")
    granted = frozenset(filter(None, said.headers.get("x-oauth-scopes", "").replace(" ", "").split(",")))
    for finding in scopes(granted, *manifest.scopes()):
        yield finding
    if settings.slack_app_token is not None:
        yield await _app_token(client, settings.slack_app_token.get_secret_value())
    if dsn is not None and (bound := await _team(dsn)) not in (None, said["team_id"]):
        yield problem(
            PART, f"The database belongs to workspace {bound}", "Give this workspace a database of its own."
        )


def scopes(granted: frozenset[str], needed: frozenset[str], optional: frozenset[str]) -> Iterator[Finding]:
    """Compare what the token may do with what the manifest asks for."""
    if not granted:
        yield note(PART, "Slack does not say which scopes the token has")
        return
    if missing := sorted(needed - granted):
        yield problem(
            PART, f"The token lacks the scopes {', '.join(missing)}", "Reinstall the app from the manifest."
        )
    else:
        yield fine(PART, "The token has every scope it needs")
    if without := sorted(optional - granted):
        yield note(
            PART,
            f"Optional scopes that are not granted: {', '.join(without)}",
            "With them a card is found again after a crash in the middle of posting it.",
        )


async def _app_token(client: AsyncWebClient, token: str) -> Finding:
    try:
        await client.apps_connections_open(app_token=token)
    except SlackApiError as error:
        code = code_of(error) or "not an answer from Slack"
        mend = "Set an app-level token (xapp-…) with connections:write, and turn Socket Mode on."
        return problem(PART, f"Slack refuses SLACK_APP_TOKEN ({code})", mend)
    except Unreachable as error:
        return problem(PART, f"Slack does not answer ({type(error).__name__})", "Check the network.")
    return fine(PART, "Socket Mode can be used")


async def _team(dsn: str) -> str | None:
    try:
        async with await AsyncConnection.connect(
            dsn, autocommit=True, prepare_threshold=None, connect_timeout=10
        ) as conn:
            row = await (await conn.execute("select team_id from slack_workspace")).fetchone()
    except Error:  # what is wrong with the database has been said
        return None
    return str(row[0]) if row and row[0] else None
