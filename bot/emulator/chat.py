"""chat.*: posting, updating, deleting."""

from __future__ import annotations

from typing import Final

from bot.emulator import content, messages
from bot.emulator.conversation import Conversation
from bot.emulator.errors import SlackError
from bot.emulator.method import TIER_3, TIER_4, Call, Method
from bot.emulator.workspace import Json


def post_message(call: Call) -> Json:
    conversation = _target(call)
    _writable(call, conversation)
    message = messages.by_bot(call.slack.workspace) | content.content(call.args, content.POST_LIMIT)
    if metadata := content.checked_metadata(call.args):
        message["metadata"] = metadata
    _in_thread(call, conversation, message)
    call.slack.post(conversation, message)
    shown = messages.presented(conversation, message, metadata=True)
    return {"channel": conversation.channel.id, "ts": message["ts"], "message": shown}


def update(call: Call) -> Json:
    """Text without blocks takes the blocks away; metadata stays unless given, `{}` takes it away."""
    conversation, message = _own_message(call, "cant_update_message")
    kept = {key: value for key, value in message.items() if key not in {"text", "blocks", "attachments"}}
    fresh = kept | content.content(call.args, content.UPDATE_LIMIT)
    fresh["edited"] = {"user": call.slack.workspace.bot_user.id, "ts": f"{call.slack.now():.6f}"}
    metadata = content.checked_metadata(call.args)
    if metadata is not None:
        fresh["metadata"] = metadata
        if not metadata:
            del fresh["metadata"]
    call.slack.rewrite(conversation, fresh)
    shown = messages.presented(conversation, fresh, metadata=True)
    return {"channel": conversation.channel.id, "ts": fresh["ts"], "text": fresh["text"], "message": shown}


def delete(call: Call) -> Json:
    conversation, message = _own_message(call, "cant_delete_message")
    call.slack.remove(conversation, message["ts"])
    return {"channel": conversation.channel.id, "ts": message["ts"]}


def post_ephemeral(call: Call) -> Json:
    conversation = _target(call)
    _writable(call, conversation)
    user = call.args.required("user", "user_not_found")
    call.slack.user(user)
    if user not in conversation.channel.members:
        raise SlackError("user_not_in_channel")
    message = messages.by_bot(call.slack.workspace) | content.content(call.args, content.POST_LIMIT)
    if thread_ts := call.args.text("thread_ts"):
        message["thread_ts"] = thread_ts
    call.slack.whisper(user, conversation.channel.id, message)
    return {"message_ts": message["ts"]}


def get_permalink(call: Call) -> Json:
    conversation = call.slack.conversation(call.args.required("channel", "channel_not_found"))
    bot = call.slack.workspace.bot_user.id
    if conversation.channel.is_private and bot not in conversation.channel.members:
        raise SlackError("channel_not_found")
    message = messages.find(conversation, call.args.required("message_ts", "message_not_found"))
    domain, channel_id = call.slack.workspace.domain, conversation.channel.id
    link = f"https://{domain}.slack.com/archives/{channel_id}/p{message['ts'].replace('.', '')}"
    if thread_ts := message.get("thread_ts"):
        link += f"?thread_ts={thread_ts}&cid={channel_id}"
    return {"channel": channel_id, "permalink": link}


def _target(call: Call) -> Conversation:
    """Where to post: a conversation's id, a channel's name, or a person whose direct message opens."""
    wanted = call.args.required("channel", "channel_not_found")
    if found := call.slack.conversations.get(wanted):
        return found
    if person := call.slack.users.get(wanted):
        if person.deleted or person.is_stranger:
            raise SlackError("channel_not_found")
        if person.is_bot:
            raise SlackError("cannot_dm_bot")
        return call.slack.direct_message(wanted)
    for conversation in call.slack.conversations.values():
        if conversation.channel.name and conversation.channel.name == wanted.removeprefix("#"):
            return conversation
    raise SlackError("channel_not_found")


def _writable(call: Call, conversation: Conversation) -> None:
    channel = conversation.channel
    bot = call.slack.workspace.bot_user.id
    if bot not in channel.members and (
        channel.is_private or "chat:write.public" not in call.slack.bot_scopes
    ):
        raise SlackError("channel_not_found" if channel.is_private else "not_in_channel")
    if channel.is_archived:
        raise SlackError("is_archived")


def _in_thread(call: Call, conversation: Conversation, message: Json) -> None:
    """Put it under its parent; one whose parent is gone stands in the channel (slack-go/slack#1571)."""
    thread_ts = call.args.text("thread_ts")
    if thread_ts not in conversation.messages:
        return
    message["thread_ts"] = conversation.messages[thread_ts].get("thread_ts", thread_ts)
    if call.args.flag("reply_broadcast"):
        message["subtype"] = "thread_broadcast"


def _own_message(call: Call, otherwise: str) -> tuple[Conversation, Json]:
    """A message of ours by channel id and ts, with Slack's errors for what is not there or not ours."""
    conversation = call.slack.conversation(call.args.required("channel", "channel_not_found"))
    _writable(call, conversation)
    message = messages.find(conversation, call.args.required("ts", "message_not_found"))
    if message.get("bot_id") != call.slack.workspace.bot_id:
        raise SlackError(otherwise)
    return conversation, message


METHODS: Final = {
    "chat.postMessage": Method(post_message, ("chat:write",)),
    "chat.update": Method(update, ("chat:write",), TIER_3),
    "chat.delete": Method(delete, ("chat:write",), TIER_3),
    "chat.postEphemeral": Method(post_ephemeral, ("chat:write",), TIER_4),
    "chat.getPermalink": Method(get_permalink, (), 300),
}
