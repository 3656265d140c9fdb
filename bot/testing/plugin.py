"""What pytest loads wherever Signoff is installed: a fixture that costs nothing until a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bot.testing.signoff import Signoff


@pytest.fixture
def signoff() -> Iterator[Signoff]:
    """Run workflows as Signoff does, in memory: start, look at the card, answer it, move the clock."""
    from bot.testing.signoff import Signoff

    with Signoff() as house:
        yield house
