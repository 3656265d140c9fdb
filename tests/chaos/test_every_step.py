"""A process may die at any step, and everything comes out as if it had not."""

from __future__ import annotations

import pytest
from every_step import STORIES, tell
from mortal import Life


@pytest.mark.parametrize(
    ("story", "dies_at", "log"),
    [
        ("rejected", 84, [["Pay 2.", "reject"]]),
        ("decided while another raises", 139, [["Pay 1.", "approve"], ["Pay 2.", "approve"]]),
    ],
)
async def test_a_process_may_die_at_any_step_of_a_thread_s_life(database, story, dies_at, log):
    """The long form, which tells more and dies at every one, is `python -m tests.chaos.every_step`."""
    life = Life(dies_at, after=True)

    came = await tell(database, STORIES[story], life)

    assert life.over.is_set()
    assert not came.wrong
    (thread,) = came.outcome["threads"]
    assert (thread["status"], thread["log"]) == ("done", log)
