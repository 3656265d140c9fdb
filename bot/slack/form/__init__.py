"""The edit form: a modal's blocks from a proposal's JSON Schema, and the typed way back."""

from __future__ import annotations

from bot.approvals.dialects.leaves import BETWEEN
from bot.slack.form.draft import UNTOUCHED, Draft, Spot
from bot.slack.form.faults import Errors
from bot.slack.form.item import Item, item_at, read_item, rows_at
from bot.slack.form.layout import block_of, form
from bot.slack.form.reading import Filled, read
from bot.slack.form.rows import ACTION, spot_of

__all__ = [
    "ACTION",
    "BETWEEN",
    "UNTOUCHED",
    "Draft",
    "Errors",
    "Filled",
    "Item",
    "Spot",
    "block_of",
    "form",
    "item_at",
    "read",
    "read_item",
    "rows_at",
    "spot_of",
]
