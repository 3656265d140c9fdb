"""Facts: each records what happened in one short transaction, and wakes the jobs that converge to it."""
