"""The demo: a local Slack, a Postgres of its own, real threads, and a clock that can be moved."""
