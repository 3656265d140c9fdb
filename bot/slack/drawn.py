"""What delivery sends: a fallback text, blocks with ids of this drawing, and metadata to find it again by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.slack.text import Block, cut

EVENT_TYPE = "signoff_message"
"""The event type of our messages' metadata; anybody in the workspace can read it, so it holds an id only."""

FALLBACK_LIMIT = 2900
"""Units of fallback text; chat.update refuses more than 4,000."""

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


def numbered(blocks: Iterable[Block], prefix: str) -> list[Block]:
    """Give each block an id of its own, unless it has one."""
    return [{"block_id": f"{prefix}.{n}", **block} for n, block in enumerate(blocks)]
