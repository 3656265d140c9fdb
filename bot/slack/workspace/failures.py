"""What Slack's refusals mean for a message: wait, try again, post anew, or give up and say how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from slack_sdk.errors import SlackApiError, SlackClientError

from bot.approvals.policy import is_user

Kind = Literal["ratelimited", "unknown", "not_now", "deleted", "frozen", "no_parent", "for_good"]
"""Wait as told; Slack may have done it; the whole set-up is at fault; the message is gone; it is there but
can no longer be changed; what it replies to is gone; never."""

OURS = "This is a fault in Signoff; please report it with the line in the log."

_RESTRICTED = "A workspace setting keeps the bot from posting there; ask an admin."

MEND = {
    "channel_not_found": "Create the channel or correct its name; a private one must invite the bot.",
    "not_in_channel": "Invite the bot: /invite @signoff in the channel.",
    "is_archived": "Unarchive the channel, or name another in the workflow.",
    "missing_scope": "Reinstall the app with the scopes of manifest.yml.",
    "user_not_found": "Correct the user id.",
    "cannot_dm_bot": "Name a person, not a bot.",
    "restricted_action": _RESTRICTED,
    "restricted_action_read_only_channel": _RESTRICTED,
    "restricted_action_thread_only_channel": _RESTRICTED,
    "restricted_action_non_threadable_channel": _RESTRICTED,
    "restricted_action_thread_locked": _RESTRICTED,
    "is_inactive": "Unarchive the channel, or name another in the workflow.",
    "messages_tab_disabled": "Turn on the app's Messages tab, as in manifest.yml.",
    "no_permission": "Give the bot permission to post there.",
    "invalid_blocks": OURS,
    "msg_too_long": OURS,
    "msg_blocks_too_long": OURS,
}

LEFT = "They may have left the workspace, or belong to another; where a policy names them, correct it."
"""How to mend what is not found where the message goes to a person."""

_NO_PLACE = frozenset({"channel_not_found", "user_not_found", "user_disabled", "user_not_visible"})

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
        "team_added_to_org",
        "accesslimited",
        "ekm_access_denied",
        "external_channel_migrating",
        "two_factor_setup_required",
    }
)
"""Errors of the whole set-up: nothing is lost, and messages are drawn once it is mended."""

MAYBE = frozenset({"fatal_error", "internal_error", "request_timeout"})
"""Errors after which Slack may have done it all the same."""

RATES = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
FROZEN = frozenset({"edit_window_closed", "cant_update_message", "block_mismatch", "update_failed"})


class NotProven(SlackClientError):
    """Slack was not called, since it has not said yet whose token ours is."""


@dataclass(frozen=True)
class Failure:
    """Why a message was not drawn, and how to mend it where a person must."""

    kind: Kind
    why: str
    mend: str = ""
    after: timedelta | None = None

    def mending(self, target: str) -> str:
        """Say how to mend it for a message to `target`, a channel or a person."""
        return LEFT if is_user(target) and self.why in _NO_PLACE else self.mend


def code_of(error: SlackApiError) -> str:
    """Return Slack's code for what it refused; "" where what answered was not Slack."""
    return str(_body(error.response).get("error") or "")


def read_failure(error: BaseException) -> Failure:
    """Read what Slack said, or that it said nothing: a timeout, a dropped connection, a proxy's page."""
    if isinstance(error, NotProven):
        return Failure("not_now", str(error))
    if not isinstance(error, SlackApiError):
        return Failure("unknown", f"{type(error).__name__}: {error}".rstrip(": "))
    response = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 200))
    said, code = _body(response), code_of(error)
    if status == 429 or code in RATES:
        return Failure("ratelimited", code or "429", after=_retry_after(response))
    if status >= 500 or code in MAYBE or not code:
        return Failure("unknown", code or f"HTTP status {status}")
    return Failure(_meaning(code), code + _detail(said), MEND.get(code, "See the log."))


def fault(error: Exception, *, last: bool) -> Failure:
    """Return what an error of our own is, of a payload that we did not foresee, say; `last` gives up."""
    return Failure("for_good" if last else "unknown", f"{type(error).__name__}: {error}".rstrip(": "), OURS)


def _meaning(code: str) -> Kind:
    if code in NOT_NOW:
        return "not_now"
    if code == "message_not_found":
        return "deleted"
    if code == "thread_not_found":
        return "no_parent"
    return "frozen" if code in FROZEN else "for_good"


def _body(response: Any) -> dict[str, Any]:
    """Return the answer where it is Slack's; a proxy's page is text, or nothing that the SDK could read.

    An error's response is the SDK's, aiohttp's where the JSON was broken, or a dict of our own (slack_sdk,
    web/async_internal_utils.py).
    """
    body = response if isinstance(response, dict) else getattr(response, "data", None)
    return body if isinstance(body, dict) else {}


def _retry_after(response: Any) -> timedelta:
    """Return the Retry-After header; 1 second where there is none, or none that is a number."""
    said = str(getattr(response, "headers", {}).get("Retry-After", "1"))
    return timedelta(seconds=int(said) if said.isdigit() else 1)


def _detail(said: dict[str, Any]) -> str:
    messages = (said.get("response_metadata") or {}).get("messages")
    return f" ({'; '.join(messages)})" if messages else ""
