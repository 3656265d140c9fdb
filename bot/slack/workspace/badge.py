"""Who we are in Slack: what the database remembers, until Slack itself says it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.approvals.errors import SignoffError
from bot.slack.workspace.client import Client
from bot.slack.workspace.directory import Unreachable
from bot.slack.workspace.failures import NotProven, read_failure

log = structlog.get_logger("signoff.slack")

FIRST_ANSWER_SECONDS = 5.0
"""How long a start waits for Slack to say who we are, before it goes on without."""


class ForeignTeam(SignoffError):
    """The database belongs to another Slack workspace."""


class TokenRefused(SignoffError):
    """Slack knows the token not, or no longer."""


@dataclass(frozen=True)
class Identity:
    """Who the bot's token says we are."""

    team_id: str
    bot_user_id: str
    bot_id: str


class Badge:
    """Our identity, remembered or proven. Until it is proven nothing but `prove` calls Slack."""

    def __init__(self, client: Client, pool: AsyncConnectionPool[Any]) -> None:
        self.identity: Identity | None = None
        self.missing: str | None = "it has not been asked yet"
        """Why it is not proven; None once it is."""
        self.shown = asyncio.Event()
        """Set once it is proven."""
        self._client = client
        self._pool = pool

    @property
    def proven(self) -> bool:
        return self.shown.is_set()

    @property
    def team(self) -> str | None:
        return self.identity.team_id if self.identity else None

    async def show(self) -> None:
        """Prove who we are, or where Slack does not answer go by what the database remembers.

        Raises what `prove` raises.
        """
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                await self.prove()
        except TimeoutError:
            self.missing = "it does not answer"
        if not self.proven:
            async with self._pool.connection() as conn:
                self.identity = await _remembered(conn)
            log.warning("slack_unreachable", why=self.missing, known_as=self.team)

    async def prove(self) -> None:
        """Ask Slack who we are, and bind the database to that workspace; where it is away, note why.

        Raises `TokenRefused`, and `ForeignTeam` where the database is another workspace's.
        """
        try:
            said = await self._client.auth_test()
        except Unreachable as error:
            self.missing = _why(error)
            return
        if wrong := not_a_bots(said):
            raise TokenRefused(f"SLACK_BOT_TOKEN is {wrong[0]}: {wrong[1]}")
        identity = Identity(said["team_id"], said["user_id"], said["bot_id"])
        async with self._pool.connection() as conn:
            await _bind(conn, identity, said["url"])
        self.identity, self.missing = identity, None
        self.shown.set()
        log.info("known_to_slack", team=identity.team_id)


def not_a_bots(said: AsyncSlackResponse) -> tuple[str, str] | None:
    """Say what a token is, by auth.test, and how to mend it; None for that of a bot in one workspace."""
    if said.get("is_enterprise_install"):
        what = "of an app that is installed for a whole organization"
        return what, "install the app in one workspace, and set the bot's token from there."
    if not said.get("bot_id"):
        return "a person's token", "set the bot's token of the installed app (xoxb-…)."
    return None


class ProvenClient(Client):
    """A client that calls Slack only once the badge is proven: the token may be another workspace's."""

    def __init__(self, badge: Badge, **given: Any) -> None:
        super().__init__(**given)
        self._badge = badge

    async def api_call(self, api_method: str, **given: Any) -> Any:
        if not self._badge.proven:
            raise NotProven(f"Slack has not yet said who we are ({self._badge.missing})")
        return await super().api_call(api_method, **given)


def _why(error: BaseException) -> str:
    if not isinstance(error, SlackApiError):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    failure = read_failure(error)
    if failure.kind in ("not_now", "for_good") and failure.why != "service_unavailable":
        raise TokenRefused(
            f"Slack refuses SLACK_BOT_TOKEN ({failure.why}): set the token of the installed app; "
            "`signoff doctor` checks it."
        ) from error
    return failure.why


async def _bind(conn: AsyncConnection[Any], identity: Identity, url: str) -> None:
    found = await conn.execute(
        _BIND, {"team": identity.team_id, "user": identity.bot_user_id, "bot": identity.bot_id, "url": url}
    )
    if await found.fetchone() is None:
        raise ForeignTeam(
            f"This database belongs to another workspace than {identity.team_id}; use a database of its own."
        )


async def _remembered(conn: AsyncConnection[Any]) -> Identity | None:
    found = await conn.execute("select team_id, bot_user_id, bot_id from slack_workspace")
    row = await found.fetchone()
    return Identity(**row) if row and row["team_id"] else None


_BIND = """
update slack_workspace set team_id = %(team)s, bot_user_id = %(user)s, bot_id = %(bot)s, url = %(url)s
where team_id is null or team_id = %(team)s returning team_id
"""
