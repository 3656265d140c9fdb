"""The processes: web, worker, clock, and `run`, which is all of them on one machine."""
