"""Drafts of what is to be published, and what a careful reader would say of them: by a model, or by rules."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from workflows import model

Kind = Literal["post", "newsletter", "release note"]

LONGEST_SENTENCE = 28
"""Words that a sentence may have before a reader loses it."""

_LIMITS: dict[Kind, int] = {"post": 120, "newsletter": 400, "release note": 200}
_PROMISES = re.compile(
    r"\b(best|guaranteed?|always|never|every(?:body|one)|revolutionary|risk-free)\b", re.IGNORECASE
)
_FIGURES = re.compile(r"\b\d[\d.,]*\s?(?:%|percent|times|x)(?!\w)", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?]+[.!?]?")


class Brief(BaseModel):
    """What starts the workflow: what is to be said, to whom, and what backs it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    title: str = Field(min_length=1, max_length=150)
    kind: Kind = "post"
    audience: str = Field(default="our customers", min_length=1, max_length=100)
    points: tuple[str, ...] = Field(min_length=1, max_length=10)
    source: str | None = Field(default=None, max_length=500)


class Draft(BaseModel):
    """What is published, and what a reviewer may change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headline: str = Field(min_length=1, max_length=150, title="Headline")
    body: str = Field(min_length=1, max_length=3000, title="Text")


_INSTRUCTIONS = (
    "Write a {kind} for {audience}: a headline and a text of at most {words} words. Say only what the points "
    "say; promise nothing that they do not."
)


def drafted(brief: Brief, instructions: tuple[str, ...] = ()) -> Draft:
    """Write the draft; `instructions` are what the reviewer asked for since, in their words."""
    told = _INSTRUCTIONS.format(kind=brief.kind, audience=brief.audience, words=_LIMITS[brief.kind])
    points = "\n".join(f"- {point}" for point in brief.points)
    asked = "\n".join(f"The reviewer says: {words}" for words in instructions)
    written = model.answered(Draft, told, f"{brief.title}\n{points}\n{asked}")
    return written or Draft(headline=brief.title, body=_by_rules(brief, instructions)[:3000])


def findings(draft: Draft, brief: Brief) -> list[str]:
    """Say what a careful reader would stop at, each in a line; an empty list where there is nothing."""
    words, most = len(draft.body.split()), _LIMITS[brief.kind]
    found = [f"It has {words} words; a {brief.kind} has {most} at most."] if words > most else []
    sentences = [sentence.split() for sentence in _SENTENCE.findall(draft.body)]
    long = [sentence for sentence in sentences if len(sentence) > LONGEST_SENTENCE]
    found += [f"A sentence of {len(each)} words: “{' '.join(each[:8])} …”" for each in long]
    text = f"{draft.headline}\n{draft.body}"
    found += [f"It promises: “{word}”." for word in dict.fromkeys(_PROMISES.findall(text))]
    if brief.source is None:
        found += [f"No source for “{figure.strip()}”." for figure in dict.fromkeys(_FIGURES.findall(text))]
    return found


def _by_rules(brief: Brief, instructions: tuple[str, ...]) -> str:
    """Say each point in a sentence; without what the reviewer puts in quotes, and with what else they say."""
    out = [match[1].lower() for words in instructions if (match := re.search(r"[“\"](.+?)[”\"]", words))]
    kept = [point for point in brief.points if not any(left in point.lower() for left in out)]
    added = [words for words in instructions if not re.search(r"[“\"].+?[”\"]", words)]
    sentences = [_sentence(text) for text in (*kept, *added)]
    source = f"\n\nSource: {brief.source}" if brief.source else ""
    return f"For {brief.audience}:\n\n" + "\n\n".join(sentences) + source


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
