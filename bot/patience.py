"""How long somebody who clicked may be kept waiting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds out of the three that Slack gives a click, for each thing that is waited for."""

    connection: float = 0.5
    """For a free connection to the database."""

    lock: float = 0.5
    """For a row that somebody else holds."""

    statement: float = 1.0
    """For one statement, with its wait for a lock."""

    database: float = 1.5
    """For the database, all in all."""

    look_up: float = 1.0
    """For Slack to say who somebody is."""

    redraw: float = 1.0
    """For Slack to redraw a modal before another is closed; with `database`, within the three."""

    answer: float = 2.7
    """For all of it, with a look-up in between."""


USUAL = Patience()
