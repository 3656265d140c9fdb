"""Stories of one thread in which something goes wrong besides the death."""

from __future__ import annotations

from busy_office import HOUR, MINUTE, one_cancels, one_rejects, two_approves
from fixtures_house import CLEO, DANA, FINN, MAYA, OTTO
from mishaps import (
    cancels,
    deletes,
    deploys,
    grouped,
    later,
    leaves,
    opens_home,
    retries,
    slack_fails,
    slack_is,
    stumbles,
    waits,
    works_twice,
)
from odd_office import migrated, misfit
from stories import EDITS, ONE, TWO, YES, YES_TOO, Act, asked, clicks, moves, starts, ticks, works

BEFORE, AFTER, BEFORE_TOO, AFTER_TOO = "before Pay 1.", "after Pay 1.", "before Pay 2.", "after Pay 2."
BOTH = starts("one_cancels", [ONE], [TWO])
YES_TO_TWO = (clicks(OTTO, "Pay 2."), works)
GROUP = "S02FINDIR"
CORRECTS = clicks(MAYA, "Pay 1.", "signoff.more", option="Correct", plain_text_input="put right")


def answers(amount: str) -> tuple[Act, ...]:
    return (clicks(MAYA, "How much?", "signoff.edit", number_input=amount, plain_text_input=amount), works)


UNHAPPY: dict[str, tuple[Act, ...]] = {
    "raised": (stumbles(BEFORE), starts("one_rejects", [ONE]), works, *later(), *YES),
    "raised after its answer": (stumbles(AFTER, 2), starts("one_rejects", [ONE]), works, *YES, *later() * 2),
    "decided while another raises": (
        *(stumbles(BEFORE_TOO), BOTH, works, clicks(MAYA, "Pay 1."), works),
        *(*later(), *YES_TO_TWO, *YES),
    ),
    "decided while another node raises on its answer": (
        *(stumbles(AFTER_TOO), BOTH, works, clicks(OTTO, "Pay 2."), works),
        *(clicks(MAYA, "Pay 1."), works, *later()),
    ),
    "both decided and one raises": (
        *(stumbles(AFTER_TOO), BOTH, works, clicks(OTTO, "Pay 2."), clicks(MAYA, "Pay 1."), works),
        *later(),
    ),
    "failed and retried": (
        *(stumbles(BEFORE_TOO, 99), BOTH, works, *later() * 3),
        *(stumbles(BEFORE_TOO, 0), retries, works, *YES, *YES_TO_TWO),
    ),
    "failed after its answer and retried": (
        *(stumbles(AFTER, 99), BOTH, works, *YES, *later() * 3),
        *(stumbles(AFTER, 0), retries, works, *YES_TO_TWO, *YES),
    ),
    "held and decided": (
        *(starts("two_approves", [ONE]), works, deploys("two_approves"), *YES, *YES_TOO, *later()),
        *(deploys("two_approves", two_approves), *later()),
    ),
    "held while it raises": (
        *(stumbles(BEFORE_TOO), BOTH, works, deploys("one_cancels"), *later(), clicks(MAYA, "Pay 1."), works),
        *(deploys("one_cancels", one_cancels), *later(), *YES_TO_TWO, *YES),
    ),
    "cancelled while it waits": (BOTH, works, cancels, works),
    "cancelled while it backs off": (stumbles(BEFORE_TOO, 2), BOTH, works, cancels, works),
    "cancelled while it is held": (BOTH, works, deploys("one_cancels"), *YES, cancels, works),
    "late": (
        *(starts("two_drafted", [asked("Pay 1.", editable=True)]), works, *later(6 * MINUTE), EDITS, works),
        *(slack_is(down=True), waits(HOUR / 2 + MINUTE), ticks, works, slack_is(down=False), *later()),
        *(slack_is(down=True), waits(HOUR / 2), ticks, works, waits(HOUR), ticks, works),
        *(slack_is(down=False), waits(MINUTE), ticks, works, waits(HOUR), ticks, works),
    ),
    "deleted": (starts("one_rejects", [ONE]), works, deletes, *later(6 * MINUTE), *later(), *YES),
    "deleted and decided": (
        starts("two_approves", [ONE]),
        works,
        *YES,
        deletes,
        *later(6 * MINUTE),
        *YES_TOO,
    ),
    "throttled": (
        slack_fails("chat.postMessage", "ratelimited", 2),
        *(starts("one_rejects", [ONE]), works, *later(), *later()),
        *(slack_fails("chat.update", "ratelimited", 2), *YES, *later(), *later()),
    ),
    "posted but dropped": (
        slack_fails("chat.postMessage", "posted_but_dropped"),
        *(starts("one_rejects", [ONE]), works, *later(), *later()),
        *(slack_fails("chat.update", "posted_but_dropped"), *YES, *later()),
    ),
    "a voter leaves the group": (
        *(grouped(GROUP, DANA, FINN), starts("two_approves", [ONE]), works, ticks),
        *(clicks(DANA, "Pay 1."), works, grouped(GROUP), *later(6 * MINUTE), *later(6 * MINUTE)),
        *(*YES, *YES_TOO),
    ),
    "asked by a handler": (starts("handled", [], [TWO], [ONE]), works, *YES, *YES_TO_TWO),
    "a handler answered first": (starts("handled", [], [TWO], [ONE]), works, *YES_TO_TWO, *YES),
    "edited at a breakpoint": (
        *(starts("guarded"), works),
        *(clicks(MAYA, "Run _sends", "signoff.edit", plain_text_input="Dear Ann"), works),
    ),
    "rejected at a breakpoint": (
        *(starts("guarded"), works),
        *(clicks(MAYA, "Run _sends", "signoff.reject", plain_text_input="no"), works),
    ),
    "refused by its model": (*(starts("checked"), works, *answers("7"), *answers("8")),),
    "step by step": (
        *(starts("stepped", [ONE], autonomy="step_by_step"), works, *YES),
        *(clicks(MAYA, "Go on after left"), works, clicks(MAYA, "Go on after last"), works),
    ),
    "corrected and migrated": (
        *(starts("tagged", [ONE], [], [TWO]), works, CORRECTS, works),
        *(deploys("tagged", misfit), *YES, *later(), deploys("tagged", migrated), *later(), *YES_TO_TWO),
    ),
    "misfit and cancelled": (
        *(starts("tagged", [ONE]), works, deploys("tagged", misfit), *YES, cancels, *later()),
    ),
    "misfit and retried": (
        *(starts("tagged", [ONE]), works, deploys("tagged", misfit), *YES),
        *(deploys("tagged", migrated), retries, works),
    ),
    "looked at once more": (
        *(stumbles(BEFORE), starts("one_rejects", [ONE]), works, *later(), works_twice, *YES),
    ),
    "cancelled as it is answered": (BOTH, works, *YES, clicks(OTTO, "Pay 2."), cancels, works),
    "cancelled as it runs out of retries": (
        *(stumbles(BEFORE_TOO, 99), BOTH, works, *later(), waits(MINUTE), cancels, ticks, works),
    ),
    "moved and raised": (
        *(starts("one_rejects", [asked("Pay 1.", "basis")]), works, moves("Pay 1."), stumbles(BEFORE), *YES),
        *(*later(), *YES),
    ),
    "moved beside another": (
        *(starts("one_cancels", [asked("Pay 1.", "basis")], [TWO]), works, moves("Pay 1.")),
        *(clicks(MAYA, "Pay 1."), clicks(OTTO, "Pay 2."), works, *YES),
    ),
    "a group grows": (
        *(grouped(GROUP, DANA), starts("two_approves", [ONE]), works, ticks, works),
        *(grouped(GROUP, DANA, CLEO), *later(6 * MINUTE), *later(6 * MINUTE), *YES, *YES_TOO),
    ),
    "a voter leaves": (
        *(starts("two_approves", [ONE]), works, *YES, leaves(MAYA), *later(6 * MINUTE), *later(6 * MINUTE)),
        *(clicks(OTTO, "Pay 1."), works, clicks(DANA, "Pay 1."), works),
    ),
    "escalated and deleted": (
        *(starts("one_rejects", [ONE]), works, *later(HOUR + MINUTE), deletes),
        *(*later(6 * MINUTE), *later(), *later(HOUR)),
    ),
    "escalated, deleted and decided": (
        *(
            starts("one_rejects", [ONE]),
            works,
            *later(HOUR + MINUTE),
            deletes,
            *later(6 * MINUTE),
            *later(),
            *YES,
        ),
    ),
    "expired while it is held": (
        *(starts("one_rejects", [ONE]), works, deploys("one_rejects"), *later(3 * HOUR), *later()),
        *(deploys("one_rejects", one_rejects), *later(), *later()),
    ),
    "expired and cancelled by that": (
        *(stumbles(BEFORE_TOO, 2), BOTH, works, *later(3 * HOUR), *later(), *later()),
    ),
    "home": (BOTH, works, opens_home, works, *YES, *later(), *YES_TO_TWO, *later()),
    "posted twice": (
        slack_fails("chat.postMessage", "posted_but_dropped", 2),
        *(slack_fails("chat.postMessage", "server_error", 2), starts("two_approves", [ONE]), works, *later()),
        *(*later(), *YES, *later(), *YES_TOO, *later()),
    ),
    "unreachable": (
        *(starts("one_rejects", [ONE]), slack_is(down=True), works, *later(), *later(), slack_is(down=False)),
        *(*later(), *later(), *YES),
    ),
    "two workers": (BOTH, works_twice, clicks(MAYA, "Pay 1."), clicks(OTTO, "Pay 2."), works_twice),
    "two workers raise": (
        *(stumbles(AFTER), stumbles(BEFORE_TOO), BOTH, works_twice, clicks(MAYA, "Pay 1."), works_twice),
        *(waits(MINUTE), ticks, works_twice, *YES_TO_TWO, *YES, *later()),
    ),
}
