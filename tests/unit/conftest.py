from __future__ import annotations

import pytest
from effect_ledger import Ledger

from bot.facts import counting
from bot.testing import filling
from workflows import effects


@pytest.fixture
def ledger(monkeypatch):
    """The samples' effects, in memory."""
    ledger = Ledger()
    monkeypatch.setattr(effects, "record", ledger.record)
    monkeypatch.setattr(effects, "recorded", ledger.recorded)
    return ledger


@pytest.fixture
def careless_form(monkeypatch):
    """A form that takes anything, like one whose schema knows less than the workflow does."""
    monkeypatch.setattr(filling, "edited", lambda approval, changes: {**approval.proposal, **changes})
    monkeypatch.setattr(counting, "check", lambda *asked: None)
