from __future__ import annotations

import pytest

from bot.facts import counting
from bot.testing import filling


@pytest.fixture
def careless_form(monkeypatch):
    """A form that takes anything, like one whose schema knows less than the workflow does."""
    monkeypatch.setattr(filling, "edited", lambda approval, changes: {**approval.proposal, **changes})
    monkeypatch.setattr(counting, "check", lambda *asked: None)
