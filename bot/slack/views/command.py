"""The answers to `/approvals`: what waits, what was asked for, what can be started, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.postgres.inbox import Inbox, Item
from bot.slack.blocks.drawn import Drawn, drawn, fits_ack
from bot.slack.blocks.text import Block, context, count, header, listing, said, section
from bot.slack.views.home import row

_LISTED = 15


@dataclass(frozen=True)
class Startable:
    """A workflow as the catalog offers it; `fields` are the names of its input, required ones first."""

    name: str
    description: str = ""
    fields: tuple[str, ...] = ()


def lists(inbox: Inbox) -> Drawn:
    """Answer `/approvals`, to one person; the buttons are on the cards and in the App Home."""
    waiting, waits, asked, now = inbox.waiting, inbox.waits, inbox.asked, inbox.now
    none = "You have asked for nothing that is still open."

    def told(most: int) -> Drawn:
        blocks = _list("Waiting for you", waiting[:most], waits, now, "Nothing waits for you.", own=False)
        blocks += _list("You asked for", asked[:most], inbox.asks, now, none, own=True)
        blocks.append(context("The App Home lists these with their buttons · `/approvals help`"))
        return drawn(f"{count(waits, 'approval')} waiting for you", blocks, None, 1)

    return _longest(told)


def help_text(workflows: Sequence[Startable], unknown: str = "") -> Drawn:
    """Answer `/approvals help`, or an `unknown` word in its place; names what can be started."""
    commands = (
        "*`/approvals`* lists what waits for you and what you asked for.\n"
        "*`/approvals start WORKFLOW {json}`* starts a workflow with its input; `--autonomy step_by_step` "
        "before the input asks after every step.\n"
        "*`/approvals help`* shows this."
    )
    problem = f"“{said(unknown, 80)}” is not something that `/approvals` knows." if unknown else ""
    text = problem.replace("`", "") or "How to use /approvals"
    blocks = [*([section(problem)] if problem else ()), section(commands)]
    return _longest(lambda most: drawn(text, [*blocks, *_catalogue(workflows, most)], None, 1))


def started(workflow: str, thread_id: str) -> Drawn:
    """Answer `/approvals start` when it did."""
    text = (
        f"Started *{said(workflow, 80)}* for you. Its cards will appear in its channel, "
        "and you will be told the outcome."
    )
    return drawn(text.replace("*", ""), [section(text), context(f"Thread {said(thread_id, 80)}")], None, 1)


def not_started(problem: str, workflows: Sequence[Startable] = ()) -> Drawn:
    """Answer `/approvals start` when it could not: which field or what is wrong, and what there is."""
    text = f"Nothing was started: {said(problem, 800)}"
    return _longest(lambda most: drawn(text, [section(text), *_catalogue(workflows, most)], None, 1))


def _longest(told: Callable[[int], Drawn]) -> Drawn:
    """Return the answer that lists most and that an acknowledgement can carry."""
    sized = (told(most) for most in range(_LISTED, 0, -1))
    return next((shown for shown in sized if fits_ack([shown.text, shown.blocks])), None) or told(0)


def _catalogue(workflows: Sequence[Startable], most: int) -> list[Block]:
    if not workflows:
        return []
    rows = [section(_offer(workflow)) for workflow in workflows[:most]]
    left = len(workflows) - most
    more = [context(f"And {count(left, 'more workflow')}.")] if left > 0 else []
    return [header("Workflows"), *rows, *more]


def _offer(workflow: Startable) -> str:
    about = f": {said(workflow.description, 300)}" if workflow.description else ""
    takes = listing((said(name, 60) for name in workflow.fields), 12)
    return f"*{said(workflow.name, 80)}*{about}" + (f"\nInput: {takes}" if takes else "")


def _list(
    heading: str, items: Sequence[Item], there_are: int, now: datetime, empty: str, *, own: bool
) -> list[Block]:
    rows = [section(row(item, now, own=own)) for item in items] or ([] if there_are else [section(empty)])
    left = there_are - len(items)
    more = [context(f"And {left:,} more; their cards are in their channels.")] if left > 0 else []
    return [header(heading), *rows, *more]
