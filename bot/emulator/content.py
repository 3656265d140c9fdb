"""What a message is made of: text, blocks and metadata, refused as Slack refuses them."""

from __future__ import annotations

from bot.emulator import blockkit, elements
from bot.emulator.arguments import Arguments
from bot.emulator.errors import SlackError, invalid
from bot.emulator.workspace import Json

POST_LIMIT = 40_000
UPDATE_LIMIT = 4_000
"""In UTF-8 bytes for an update, as was seen there; Slack documents characters."""
ATTACHMENT_LIMIT = 100


def content(args: Arguments, limit: int) -> Json:
    """Text, blocks and attachments of a post or update; text past `limit` is `msg_too_long`.

    Blocks without a fallback text are refused with `no_text`, which Slack only warns about.
    """
    text = args.text("text")
    if len(text.encode()) > limit:
        raise SlackError("msg_too_long")
    blocks = checked_blocks(args)
    attachments = args.json("attachments", "invalid_attachments") or []
    if not isinstance(attachments, list):
        raise SlackError("invalid_attachments")
    if len(attachments) > ATTACHMENT_LIMIT:
        raise SlackError("too_many_attachments")
    if not text.strip() and not attachments:
        raise SlackError("no_text")
    body: Json = {"text": text}
    if blocks:
        body["blocks"] = elements.with_ids(blocks)
    if attachments:
        body["attachments"] = attachments
    return body


def checked_blocks(args: Arguments) -> list[Json] | None:
    """The blocks of a message; `invalid_blocks` with reasons, `invalid_blocks_format` when not a list."""
    blocks = args.json("blocks", "invalid_blocks_format")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if found := blockkit.problems("message", blocks):
        raise invalid("invalid_blocks", *(str(problem) for problem in found))
    if blockkit.is_too_long(blocks):
        raise SlackError("msg_blocks_too_long")
    return blocks


def checked_metadata(args: Arguments) -> Json | None:
    """Message metadata; None when not given, `{}` to take away, `invalid_metadata_format` when malformed."""
    metadata = args.record("metadata", "invalid_metadata_format")
    if not metadata:
        return metadata
    event_type, payload = metadata.get("event_type"), metadata.get("event_payload")
    if not isinstance(event_type, str) or not event_type or not isinstance(payload, dict):
        raise SlackError("invalid_metadata_format")
    return {"event_type": event_type, "event_payload": payload}
