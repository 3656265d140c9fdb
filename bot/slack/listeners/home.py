"""The App Home: drawn when somebody opens it."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.slack.listeners.desk import Desk


def register(app: AsyncApp, desk: Desk) -> None:
    @app.event("app_home_opened")
    async def on_home_opened(event: dict[str, Any]) -> None:
        if event.get("tab", "home") == "home":
            await desk.home_opened(event["user"])
