"""The pytest plugin for authors of workflows: workflows run without Slack and Postgres."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.testing.card import Card
    from bot.testing.pause import Pause
    from bot.testing.refused import Refused
    from bot.testing.run import Run
    from bot.testing.signoff import Signoff

__all__ = ["Card", "Pause", "Refused", "Run", "Signoff"]

_HOMES = {name: f"bot.testing.{name.lower()}" for name in __all__}


def __getattr__(name: str) -> Any:
    """Import when first used: pytest loads the plugin wherever Signoff is installed."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
