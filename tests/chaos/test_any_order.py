"""Everything comes out right, whatever happens in whatever order."""

from __future__ import annotations

import pytest
from any_order import any_order


@pytest.mark.parametrize("seed", [2, 7])
async def test_everything_comes_out_right_whatever_happens_in_whatever_order(database, seed):
    """The long form is `python -m tests.chaos.any_order --runs 200`."""
    wrong, done = await any_order(database, seed, steps=40)

    assert not wrong, "\n".join([*done, *wrong])
