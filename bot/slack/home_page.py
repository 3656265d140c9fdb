"""A person's Home as it stands: read, and drawn for views.publish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from bot.postgres.inbox import Item, inbox
from bot.slack.directory import handles
from bot.slack.home import Entry, HomeView, home
from bot.slack.text import Block


async def home_page(conn: AsyncConnection[Any], user: str) -> Block:
    """Return the view that a person's Home should show."""
    lists, groups = await inbox(conn, user), await handles(conn)
    return home(
        HomeView(
            waiting=entries(lists.waiting),
            asked=entries(lists.asked),
            recent=entries(lists.recent),
            waits=lists.waits,
            asks=lists.asks,
            now=lists.now,
            groups=groups,
        )
    )


def entries(items: Sequence[Item]) -> tuple[Entry, ...]:
    return tuple(Entry(item.approval, item.thread, item.votes, item.permalink) for item in items)
