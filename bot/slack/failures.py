"""What Slack's refusals mean for a message: wait, try again, post anew, or give up and say how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from slack_sdk.errors import SlackApiError

Kind = Literal["ratelimited", "unknown", "not_now", "deleted", "for_good"]

MEND = {
    "channel_not_found": "Create the channel or correct its name; a private one must invite the bot.",
    "not_in_channel": "Invite the bot: /invite @signoff in the channel.",
    "is_archived": "Unarchive the channel, or name another in the workflow.",
    "missing_scope": "Reinstall the app with the scopes of manifest.yml.",
    "user_not_found": "Correct the user id.",
    "cannot_dm_bot": "Name a person, not a bot.",
    "restricted_action": "A workspace setting keeps the bot from posting there; ask an admin.",
    "no_permission": "Give the bot the permission to post there.",
    "invalid_blocks": "This is a fault of Signoff's; please report it with the log's line.",
    "msg_too_long": "This is a fault of Signoff's; please report it with the log's line.",
}

NOT_NOW = frozenset(
    {
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "not_authed",
        "org_login_required",
        "service_unavailable",
        "team_access_not_granted",
        "accesslimited",
    }
)
"""Errors of the whole set-up: nothing is lost, and messages are drawn once it is mended."""

MAYBE = frozenset({"fatal_error", "internal_error", "request_timeout"})
"""Errors after which Slack may have done it all the same."""


@dataclass(frozen=True)
class Failure:
    """Why a message was not drawn, and how to mend it where a person must."""

    kind: Kind
    why: str
    mend: str = ""
    after: timedelta | None = None


def read_failure(error: SlackApiError) -> Failure:
    """Read what Slack said."""
    response = error.response
    status = getattr(response, "status_code", 200)
    code = str(response.get("error") or status) if hasattr(response, "get") else str(status)
    if status == 429 or code == "ratelimited":
        waits = getattr(response, "headers", {}).get("Retry-After", "1")
        return Failure("ratelimited", code, after=timedelta(seconds=float(waits)))
    if status >= 500 or code in MAYBE:
        return Failure("unknown", code)
    if code in NOT_NOW:
        return Failure("not_now", code)
    if code in ("message_not_found", "cant_update_message", "thread_not_found"):
        return Failure("deleted", code)
    detail = "; ".join((response.get("response_metadata") or {}).get("messages", []))
    return Failure("for_good", f"{code} ({detail})" if detail else code, MEND.get(code, "See the log."))
