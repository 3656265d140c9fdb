"""A process may die at any step, and everything comes out as if it had not."""

from __future__ import annotations

import pytest
from every_step import tell
from mortal import Life
from stories import STORIES


@pytest.mark.parametrize("dies_at", [31, 84])
async def test_a_process_may_die_at_any_step_of_a_thread_s_life(database, dies_at):
    """The long form, which dies at every one, is `python -m tests.chaos.every_step`."""
    life = Life(dies_at, after=True)

    came = await tell(database, STORIES["rejected"], life)

    assert life.over.is_set()
    assert not came.wrong
    (thread,) = came.outcome["threads"]
    assert (thread["status"], thread["log"]) == ("done", [["Pay 2.", "reject"]])
