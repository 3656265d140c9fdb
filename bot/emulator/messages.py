"""How a stored message looks to those who read it."""

from __future__ import annotations

from bot.emulator.conversation import Conversation
from bot.emulator.errors import SlackError
from bot.emulator.workspace import Json, Workspace

TOMBSTONE = "tombstone"


def find(conversation: Conversation, ts: str) -> Json:
    """A message that is still there; `message_not_found` otherwise."""
    message = conversation.messages.get(ts)
    if message is None or message.get("subtype") == TOMBSTONE:
        raise SlackError("message_not_found")
    return message


def presented(conversation: Conversation, message: Json, *, metadata: bool = False) -> Json:
    """The message with its thread's counters; its metadata only where asked for."""
    seen = dict(message)
    if not metadata:
        seen.pop("metadata", None)
    if replies := conversation.replies(message["ts"]):
        seen |= {
            "thread_ts": message["ts"],
            "reply_count": len(replies),
            "reply_users": sorted({reply["user"] for reply in replies}),
            "latest_reply": replies[-1]["ts"],
        }
    return seen


def by_bot(workspace: Workspace) -> Json:
    """What every message of our app carries."""
    return {
        "type": "message",
        "user": workspace.bot_user.id,
        "bot_id": workspace.bot_id,
        "app_id": workspace.app_id,
        "team": workspace.team_id,
        "bot_profile": {
            "id": workspace.bot_id,
            "app_id": workspace.app_id,
            "name": workspace.bot_user.name,
            "team_id": workspace.team_id,
            "deleted": False,
        },
    }


def by_person(workspace: Workspace, user: str, text: str) -> Json:
    return {"type": "message", "user": user, "team": workspace.team_id, "text": text}


def tombstone(message: Json) -> Json:
    """What is left of a deleted message that had replies."""
    return {
        "type": "message",
        "subtype": TOMBSTONE,
        "user": "USLACKBOT",
        "hidden": True,
        "text": "This message was deleted.",
        "ts": message["ts"],
        "thread_ts": message["ts"],
    }
