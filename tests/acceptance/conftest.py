"""What several tests of the demo start from."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fixtures_house import Running

    from bot.demo.panel import DemoPanel


@pytest.fixture
async def panel(house: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoPanel:
    """The demo's panel over a house, as it is at its start."""
    from bot.demo.panel import DemoPanel  # slow to import
    from workflows import effects, folders

    monkeypatch.setenv(folders.VARIABLE, str(tmp_path))
    await asyncio.to_thread(effects.recorded)  # makes the ledger's table
    return DemoPanel(house.house.work, house.house.queue, house.slack.faults)
