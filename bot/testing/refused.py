"""What a person did changed nothing, and what they are told."""

from __future__ import annotations

from typing import Literal

from bot.facts.judging import Refusal


class Refused(Exception):
    """An answer did not count; the text is what the person is told in Slack.

    `why` is the reason in a word, as the audit has it: `not_listed`, `own`, `settled`, `outdated`,
    `not_allowed`, `unfit` …, or `mistyped` for what a form would not take.
    """

    def __init__(self, why: Refusal | Literal["mistyped"], told: str) -> None:
        super().__init__(told)
        self.why = why
