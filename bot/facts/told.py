"""A direct word to somebody whose vote came to something else than they meant."""

from __future__ import annotations

from typing import Literal

from bot.postgres.fact import Fact, NewMessage
from bot.postgres.rows import Approval

Event = Literal["superseded", "revised"]


def tell(fact: Fact, approval: Approval, user: str, event: Event) -> None:
    """Tell a voter once for each revision that they voted on."""
    fact.post(
        NewMessage(
            f"told:{approval.approval_id}:{approval.revision}:{user}",
            "told",
            target=user,
            approval_id=approval.approval_id,
            thread_id=approval.thread_id,
            body={"event": event},
        )
    )
