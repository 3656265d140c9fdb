"""On whose behalf a thread may run: a person of our workspace, as Slack knows them."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.api.share import Share
from bot.approvals.errors import SignoffError
from bot.approvals.standing import STALE_AFTER
from bot.house import House
from bot.slack.workspace.directory import Unreachable
from bot.slack.workspace.failures import code_of

_USER = re.compile(r"[UW][A-Z0-9]{1,30}")
_LOOK_UP_SECONDS = 5.0
UNKNOWN = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
"""What Slack says of a user that there is not, or not for us."""


class BadRequester(SignoffError):
    """Nobody's request can be made in the name of this user."""


class SlackAway(SignoffError):
    """Slack could not be asked who this is."""


async def check_requester(house: House, share: Share, user: str) -> None:
    """Raise `BadRequester` unless `user` is a live person of ours, and `SlackAway` where Slack is silent.

    Guests may ask; they may not decide, which is another question.
    """
    if not _USER.fullmatch(user):
        raise BadRequester("is not a Slack user id (U…)")
    profile = await _known(share, user) or await _looked_up(house, user)
    if profile["team_id"] != house.badge.team:
        raise BadRequester("belongs to another Slack workspace")
    if profile["is_deactivated"]:
        raise BadRequester("is deactivated in Slack")
    if profile["is_bot"]:
        raise BadRequester("is a bot; name a person")


async def _known(share: Share, user: str) -> dict[str, Any] | None:
    async with share.connection() as conn:
        found = await conn.execute(
            "select profile from people where user_id = %s and signoff_now() - fetched_at < %s",
            (user, STALE_AFTER),
        )
        row = await found.fetchone()
    return row and row["profile"]


async def _looked_up(house: House, user: str) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_LOOK_UP_SECONDS):
            return await house.directory.look_up_person(user)
    except SlackApiError as error:
        if code_of(error) in UNKNOWN:
            raise BadRequester("is unknown to Slack") from None
        raise SlackAway("Slack could not say who the requester is; nothing was started.") from error
    except Unreachable as error:
        raise SlackAway("Slack could not say who the requester is; nothing was started.") from error
