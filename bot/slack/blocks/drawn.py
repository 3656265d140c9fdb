"""What delivery sends: a fallback text, blocks with ids of this drawing, and metadata to find it again by."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.slack.blocks.text import Block, cut, units

EVENT_TYPE = "signoff_message"
"""The event type of our messages' metadata; anybody in the workspace can read it, so it holds an id only."""

FALLBACK_LIMIT = 1300
"""Units of fallback text; chat.update refuses more than 4,000 bytes of it, and a unit takes up to three."""

LONGEST = 10_000
"""What the text of all blocks of a message may weigh, with 100 a block."""

LONGEST_RICH = 16_000
"""Units of JSON of all rich text of a message.

Slack says `msg_blocks_too_long` to what is longer, and not to what: that was seen with 13,200 characters and
some 100 a block (slackapi/bolt-js#2509), with 11,341 of rich text in small runs (#2867), and with about 24 kB
of JSON of rich text.
"""

_A_BLOCK = 100

LONGEST_ACK = 15_000
"""Bytes of what an acknowledgement answers with, as JSON in ASCII, as Bolt writes it.

Slack drops a large one without a word (slack-go/slack#1196, slackapi/deno-slack-sdk#324), and does not
document from where on.
"""

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100


@dataclass(frozen=True)
class Drawn:
    """A message, ready to be posted or updated. `text` is what notifications and screen readers say."""

    text: str
    blocks: list[Block]
    metadata: dict[str, Any] | None = None


def drawn(text: str, blocks: Iterable[Block], message_id: str | None, version: int) -> Drawn:
    """Finish a message; Slack wants new block ids on every update, so they hold `version`."""
    metadata = message_id and {"event_type": EVENT_TYPE, "event_payload": {"message_id": message_id}}
    return Drawn(
        text=cut(text, FALLBACK_LIMIT),
        blocks=numbered(blocks, f"{(message_id or 'message')[:180]}.v{version}")[:MESSAGE_BLOCKS],
        metadata=metadata or None,
    )


def is_short(blocks: Iterable[Block]) -> bool:
    """Tell whether Slack takes blocks that are each within their limits as one message."""
    all_of = list(blocks)
    rich = [block["elements"] for block in all_of if block["type"] == "rich_text"]
    return weight(all_of) <= LONGEST and units(json.dumps(rich, ensure_ascii=False)) <= LONGEST_RICH


def fits_ack(answer: Any) -> bool:
    """Tell whether an acknowledgement may carry this."""
    return len(json.dumps(answer)) <= LONGEST_ACK


def weight(blocks: Iterable[Block]) -> int:
    """Return what blocks count of `LONGEST`."""
    return sum(_A_BLOCK + _text(block) for block in blocks)


def _text(part: Any) -> int:
    total, parts = 0, [part]
    for inner in parts:  # which grows meanwhile
        if isinstance(inner, list):
            parts += inner
        elif isinstance(inner, dict):
            for key, value in inner.items():
                if not isinstance(value, str):
                    parts.append(value)
                elif key == "text":
                    total += units(value)
    return total


def numbered(blocks: Iterable[Block], prefix: str) -> list[Block]:
    """Give each block an id of its own, unless it has one."""
    return [{"block_id": f"{prefix}.{n}", **block} for n, block in enumerate(blocks)]
