from __future__ import annotations

import sys

from kill import chaos


async def test_every_thread_ends_right_whatever_is_killed_clicked_or_broken(database, tmp_path):
    """The long form is `python -m tests.chaos.kill --minutes 10`."""
    sys.stdout.write(await chaos(database, tmp_path, seconds=12, seed=7))
