"""conversations.*: what channels there are and what was said in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from bot.emulator import messages
from bot.emulator.conversation import Conversation
from bot.emulator.errors import SlackError
from bot.emulator.method import TIER_2, TIER_3, TIER_4, Call, Method
from bot.emulator.workspace import Channel, Json

READ: Final = ("channels:read", "groups:read", "im:read", "mpim:read")
HISTORY: Final = ("channels:history", "groups:history", "im:history", "mpim:history")


def open_direct(call: Call) -> Json:
    """A direct message with one person or several; by `users` (comma-separated) or an existing `channel`."""
    if channel_id := call.args.text("channel"):
        return {"channel": {"id": call.slack.conversation(channel_id).channel.id}}
    users = [user for user in call.args.required("users", "users_list_not_supplied").split(",") if user]
    for user_id in users:
        user = call.slack.user(user_id)
        if user.deleted:
            raise SlackError("user_disabled")
        if user.is_bot:
            raise SlackError("cannot_dm_bot")
        if user.is_stranger:
            raise SlackError("user_not_visible")
    needed = "im:write" if len(users) == 1 else "mpim:write"
    call.need(needed)
    known = len(call.slack.conversations)
    channel = call.slack.direct_message(*users).channel
    if len(call.slack.conversations) > known:
        return {"channel": {"id": channel.id}}
    return {"no_op": True, "already_open": True, "channel": {"id": channel.id}}


def info(call: Call) -> Json:
    conversation = _readable(call, "read")
    shown = shown_channel(conversation.channel, call.slack.workspace.bot_user.id)
    if call.args.flag("include_num_members"):
        shown["num_members"] = len(conversation.channel.members)
    return {"channel": shown}


def list_channels(call: Call) -> Json:
    wanted = set(call.args.text("types", "public_channel").replace(" ", "").split(","))
    bot = call.slack.workspace.bot_user.id
    skip_archived = call.args.flag("exclude_archived")
    found = [
        shown_channel(channel, bot)
        for channel in (conversation.channel for conversation in call.slack.conversations.values())
        if _kind(channel) in wanted
        and not (skip_archived and channel.is_archived)
        and (bot in channel.members or not channel.is_private)
    ]
    return _page(call, "channels", found, 100)


def members(call: Call) -> Json:
    conversation = _readable(call, "read")
    return _page(call, "members", sorted(conversation.channel.members), 100)


def history(call: Call) -> Json:
    """Newest first; `oldest` and `latest` are exclusive unless `inclusive`; a cursor is the last ts seen."""
    conversation = _readable(call, "history")
    _member(call, conversation)
    latest = call.args.text("cursor") or call.args.text("latest")
    inclusive = call.args.flag("inclusive") and not call.args.text("cursor")
    limit = min(call.args.integer("limit", 100), 999)
    newest = conversation.newest_first(call.args.text("oldest"), latest, inclusive=inclusive)
    return _messages(call, conversation, newest, limit)


def replies(call: Call) -> Json:
    """A thread's parent and then its replies, oldest first."""
    conversation = _readable(call, "history")
    _member(call, conversation)
    ts = call.args.required("ts", "thread_not_found")
    parent = conversation.messages.get(ts)
    if parent is None:
        raise SlackError("thread_not_found")
    after = call.args.text("cursor") or call.args.text("oldest")
    found = [message for message in (parent, *conversation.replies(ts)) if message["ts"] > after]
    return _messages(call, conversation, found, min(call.args.integer("limit", 1000), 1000))


def shown_channel(channel: Channel, viewer: str) -> Json:
    """A channel as conversations.info has it, to this viewer."""
    shown: Json = {
        "id": channel.id,
        "name": channel.name,
        "is_channel": _kind(channel) == "public_channel",
        "is_group": _kind(channel) == "private_channel",
        "is_im": channel.is_im,
        "is_mpim": channel.is_mpim,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_ext_shared": channel.is_ext_shared,
        "is_shared": channel.is_ext_shared,
        "is_member": viewer in channel.members,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
    }
    if channel.is_im:
        shown["user"] = next((user for user in sorted(channel.members) if user != viewer), viewer)
    return shown


def _readable(call: Call, what: str) -> Conversation:
    """The conversation, if the token's scopes reach conversations of its kind."""
    conversation = call.slack.conversation(call.args.required("channel", "channel_not_found"))
    prefix = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}
    call.need(f"{prefix[_kind(conversation.channel)]}:{what}")
    hidden = conversation.channel.is_private
    if hidden and call.slack.workspace.bot_user.id not in conversation.channel.members:
        raise SlackError("channel_not_found")
    return conversation


def _member(call: Call, conversation: Conversation) -> None:
    if call.slack.workspace.bot_user.id not in conversation.channel.members:
        raise SlackError("not_in_channel")


def _kind(channel: Channel) -> str:
    if channel.is_im:
        return "im"
    if channel.is_mpim:
        return "mpim"
    return "private_channel" if channel.is_private else "public_channel"


def _messages(call: Call, conversation: Conversation, found: Iterable[Json], limit: int) -> Json:
    page = list(islice(found, limit + 1))
    more, page = len(page) > limit, page[:limit]
    metadata = call.args.flag("include_all_metadata")
    shown = [messages.presented(conversation, message, metadata=metadata) for message in page]
    cursor = {"response_metadata": {"next_cursor": page[-1]["ts"]}} if more else {}
    return {"messages": shown, "has_more": more, **cursor}


def _page(call: Call, key: str, found: Sequence[object], default: int) -> Json:
    start, limit = call.args.integer("cursor", 0), call.args.integer("limit", default)
    if not 0 < limit < 1000:
        raise SlackError("invalid_limit")
    end = start + limit
    cursor = str(end) if end < len(found) else ""
    return {key: found[start:end], "response_metadata": {"next_cursor": cursor}}


METHODS: Final = {
    "conversations.open": Method(open_direct, ("im:write", "mpim:write"), TIER_3),
    "conversations.info": Method(info, READ, TIER_3),
    "conversations.list": Method(list_channels, READ, TIER_2),
    "conversations.members": Method(members, READ, TIER_4),
    "conversations.history": Method(history, HISTORY, TIER_3),
    "conversations.replies": Method(replies, HISTORY, TIER_3),
}
