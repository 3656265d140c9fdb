"""Block Kit's rules: what Slack refuses in a message, a modal or an App Home, as pure functions."""

from __future__ import annotations

from bot.emulator.blockkit.checks import Problem
from bot.emulator.blockkit.surfaces import Surface, is_too_long, problems, view_problems

__all__ = ["Problem", "Surface", "is_too_long", "problems", "view_problems"]
