"""The edit form: a modal's blocks from a proposal's JSON Schema, and the typed way back."""

from __future__ import annotations

from bot.slack.form.layout import block_of, form
from bot.slack.form.reading import Errors, Filled, read

__all__ = ["Errors", "Filled", "block_of", "form", "read"]
