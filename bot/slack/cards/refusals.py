"""The private answers to clicks that change nothing: what is so, and who may do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from bot.approvals.standing import NoStanding
from bot.facts.judging import Refusal
from bot.postgres.rows import Approval, Thread
from bot.slack.blocks.text import listing, mention_approver, said, when
from bot.slack.cards.outcome import because, by_whom, clock_did, verdict

_UNKNOWN = (
    "I do not know this button; it may come from an older version, or what it was for has been deleted. "
    "Nothing was changed."
)
_NOT_ALLOWED = "This request cannot be answered that way. Nothing was changed."
_UNFIT = "So it was not recorded: the workflow could not have taken it. Another answer may fit."
_VOTERS_UNCHECKED = (
    "Your vote would have settled it, but I could not check with Slack that those who voted before you may "
    "still decide this. So nothing was changed, and your vote was not recorded. Please try again in a moment."
)


def refusal(
    kind: Refusal,
    approval: Approval | None = None,
    groups: Mapping[str, str] | None = None,
    permalink: str | None = None,
    wrong: str = "",
    *,
    user: str | None = None,
    thread: Thread | None = None,
) -> str:
    """Word a refusal as mrkdwn, for one person (`user`).

    `groups` knows the Slack id of each `@handle`; `permalink` leads to the card that asks now; `wrong` says
    what an unfit answer is wrong in. With its `thread` it says also why something is closed.
    """
    match kind:
        case "settled":
            text = _settled(approval, thread, permalink)
        case "outdated":
            text = f"This card is out of date: what it asks has changed since. {_live(permalink)}"
        case "unknown":
            text = _UNKNOWN
        case "stray":
            text = f"This is an old copy of the card, and its buttons do nothing. {_live(permalink)}"
        case "not_allowed":
            text = _NOT_ALLOWED
        case "unfit":
            text = f"{said(wrong, 500)} {_UNFIT}".strip()
        case "voters_unchecked":
            text = _VOTERS_UNCHECKED
        case _:
            text = f"{_no_standing(kind, user, thread)} {_who_may(approval, groups or {}, user)}".strip()
    return text


def _no_standing(kind: NoStanding, user: str | None, thread: Thread | None) -> str:
    match kind:
        case "not_listed":
            why = "You are not among those who may decide this."
        case "no_group":
            why = "You are not among those who may decide this, and a user group it names does not exist."
        case "own":
            did = "started" if user and thread and thread.requester not in (None, user) else "asked for"
            why = f"You {did} this yourself, so somebody else must decide it."
        case "guest":
            why = "Guests may not decide approvals."
        case "bot":
            why = "Apps may not decide approvals."
        case "deactivated":
            why = "Deactivated accounts may not decide approvals."
        case "foreign":
            why = "People of other workspaces may not decide approvals here."
        case "unchecked":
            why = "I could not check with Slack that you may decide this. Please try again in a moment."
        case _:
            assert_never(kind)
    return f"{why} Nothing was changed."


def _who_may(approval: Approval | None, groups: Mapping[str, str], user: str | None) -> str:
    """Say who may; never the person who just heard that they may not."""
    if approval is None or approval.status != "pending":
        return ""
    names = [name for name in approval.policy.approvers if name != user]
    if not names:
        return f"Its policy names nobody {'else ' if approval.policy.approvers else ''}who may."
    return f"Only {listing((mention_approver(name, groups) for name in names), 30, last='or')} can decide it."


def _settled(approval: Approval | None, thread: Thread | None, permalink: str | None) -> str:
    if approval is None or approval.status == "pending":
        return "This has been settled meanwhile. Nothing was changed."
    decision, at = approval.decision, approval.decided_at
    stamp = f" ({when(at)})" if at else ""  # a day already says "today at"
    if approval.status == "decided" and decision:
        return f"This was already {verdict(approval)} by {by_whom(approval)}{stamp}. Nothing was changed."
    if approval.status == "expired":
        did = f" {clock_did(approval, thread)}" if thread else ""
        return f"This timed out{stamp}.{did} Your answer was not recorded."
    why = {
        "superseded": f"{_linked('a new card', permalink)} asks about it, as it stands now",
        "cancelled": f"it was cancelled{because(approval)}",
        "orphaned": "the workflow no longer waits for it",
    }.get(approval.status, "it is settled")
    return f"This is closed{stamp}: {why}. Nothing was changed."


def _live(permalink: str | None) -> str:
    return f"Please use {_linked('the live card', permalink)}."


def _linked(text: str, permalink: str | None) -> str:
    return f"<{permalink}|{text}>" if permalink else text


def titled(approval: Approval, text: str) -> str:
    """Name what a refusal is about, for a place without its card."""
    return f"*{said(approval.request.title, 200)}*\n{text}"
