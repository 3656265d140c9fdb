"""`migrate` and `db stop`: the schema, and the embedded server."""

from __future__ import annotations

import asyncio

from bot.commands.database import database
from bot.commands.printing import say
from bot.postgres import embedded
from bot.postgres import migrate as migrations
from bot.settings import Settings


def migrate() -> None:
    """Bring the database up to date and say what was done."""
    with database(Settings()) as found:
        done = asyncio.run(migrations.migrate(found.direct))
    say("\n".join(f"Applied {name}" for name in done) if done else "The schema is up to date.")


def stop() -> None:
    """Stop the embedded servers of this home, the demo's too."""
    home = embedded.home()
    stopped = [folder for folder in (home, home / "demo") if embedded.stop(folder)]
    for folder in stopped:
        say(f"Stopped the Postgres in {folder}.")
    if not stopped:
        say(f"No embedded Postgres runs in {home}.")
