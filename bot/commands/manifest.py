"""`manifest`: what to paste where Slack asks for an app's manifest."""

from __future__ import annotations

from bot.commands.printing import say_json


def manifest(url: str | None) -> None:
    from bot.manifest import manifest as app_manifest

    say_json(app_manifest(url))
