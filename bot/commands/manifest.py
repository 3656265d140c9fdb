"""`manifest`: what to paste where Slack asks for an app's manifest."""

from __future__ import annotations

from bot.commands.printing import say_json
from bot.commands.told import WrongUsage


def manifest(url: str | None) -> None:
    from bot.manifest import BadUrl
    from bot.manifest import manifest as app_manifest

    try:
        said = app_manifest(url)
    except BadUrl as error:
        raise WrongUsage(f"--url: {error}") from error
    say_json(said)
