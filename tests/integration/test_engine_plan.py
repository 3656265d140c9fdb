"""What to do next with a thread, as a pure function of its graph and its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bot.approvals.dialects import Asked, breakpoint_request
from bot.engine.plan import (
    Begin,
    Changes,
    Drive,
    Finish,
    Orphan,
    Send,
    Snapshot,
    Step,
    Wait,
    follow,
    next_move,
)
from bot.engine.refused import Refused
from bot.facts.pauses import Pause

AT = datetime(2026, 11, 20, tzinfo=UTC)
ID = "a" * 32
PAUSE = Pause.of(ID, "pay?")


@dataclass(frozen=True)
class Row:
    """As much of an approval as the plan looks at."""

    interrupt_id: str = ID
    status: str = "pending"
    dialect: str = "plain"
    payload_hash: str = PAUSE.payload_hash
    applying_at: datetime | None = None
    applied_at: datetime | None = None


def paused(**other: Any) -> Snapshot:
    return Snapshot(**{"started": True, "unfinished": True, "failed": False, "pauses": (PAUSE,)} | other)


def ended(**other: Any) -> Snapshot:
    return Snapshot(**{"started": True, "unfinished": False, "failed": False, "pauses": ()} | other)


def test_a_graph_that_never_ran_begins():
    assert next_move(ended(started=False), ()) == Begin()


def test_what_nobody_decided_waits():
    assert next_move(paused(), (Row(),)) == Wait()


def test_what_was_decided_or_expired_is_sent():
    for status in ("decided", "expired"):
        row = Row(status=status)
        assert next_move(paused(), (row,)) == Send(((row, PAUSE),))


def test_of_an_agents_calls_one_is_answered_at_a_time_and_of_others_all_at_once():
    first, second = (Pause.asking(c * 32, Asked(PAUSE.asked.request, "per_call")) for c in "cd")
    rows = [Row(pause.interrupt_id, "decided", "per_call") for pause in (first, second)]
    assert next_move(paused(pauses=(first, second)), (*rows,)) == Send(((rows[0], first),))

    beside = Pause.of("e" * 32, "pay?")
    both = Row(status="decided"), Row(beside.interrupt_id, "decided")
    assert next_move(paused(pauses=(PAUSE, beside)), both) == Send(((both[0], PAUSE), (both[1], beside)))


def test_what_may_have_been_sent_before_is_not_sent_again_before_the_graph_was_run_on():
    row = Row(status="decided", applying_at=AT)

    assert next_move(paused(), (row,)) == Drive()
    assert next_move(paused(returned=True), (row,)) == Send(((row, PAUSE),))


def test_nothing_is_sent_to_a_graph_that_failed():
    assert next_move(paused(failed=True), (Row(status="decided"),)) == Drive()


def test_a_graph_in_the_middle_of_something_is_run_on():
    assert next_move(paused(pauses=()), ()) == Drive()


def test_a_pause_that_is_gone_was_applied_where_its_answer_was_sent():
    row = Row(status="decided", applying_at=AT)
    changes = follow(ended(), (row,))

    assert (changes.applied, changes.vanished) == ((row,), ())


def test_a_pause_that_is_gone_without_an_answer_is_an_orphan_and_the_thread_not_done():
    row = Row(status="decided")
    assert follow(ended(), (row,)).vanished == (row,)
    assert next_move(ended(), (Row(status="orphaned"),)) == Orphan()
    assert next_move(ended(), ()) == Finish()


def test_a_pause_that_its_checkpoint_still_holds_was_not_answered_though_its_answer_was_sent():
    row = Row(status="decided", applying_at=AT)

    assert follow(ended(stranded=frozenset({ID})), (row,)).vanished == (row,)


def test_another_payload_is_a_revision_before_a_decision_and_supersedes_one():
    open_, decided = Row(payload_hash="other"), Row(payload_hash="other", status="decided")

    assert follow(paused(), (open_,)) == Changes(revised=((open_, PAUSE),))
    assert follow(paused(), (decided,)) == Changes(superseded=((decided, PAUSE),))


def test_rows_that_say_what_the_graph_asks_are_left_as_they_are():
    for status in ("pending", "decided", "expired"):
        assert follow(paused(), (Row(status=status),)) == Changes()


def test_a_graph_is_finished_when_it_began_and_nothing_is_left_of_it():
    assert ended().finished
    for more in ({"started": False}, {"unfinished": True}, {"failed": True}, {"pauses": (PAUSE,)}):
        assert not ended(**more).finished


def test_a_graph_to_be_run_on_died_unless_it_never_ran_raised_or_came_back_by_itself():
    assert paused(pauses=()).died
    for more in ({"started": False}, {"failed": True}, {"returned": True}):
        assert not paused(pauses=(), **more).died


def test_a_pause_that_was_closed_and_is_still_there_is_asked_again():
    for status in ("cancelled", "orphaned"):
        row = Row(status=status)
        assert follow(paused(), (row,)).superseded == ((row, PAUSE),)


def test_what_was_applied_or_superseded_is_of_no_more_concern():
    rows = (Row(applied_at=AT, status="decided"), Row(status="superseded"))

    assert follow(paused(), rows).new == (PAUSE,)


STOP = Pause.asking("b" * 32, Asked(breakpoint_request("send", "before", {}), "breakpoint"))
AT_STOP = Row("b" * 32, dialect="breakpoint", payload_hash=STOP.payload_hash)


def test_no_answer_and_no_retry_runs_a_graph_past_a_breakpoint_that_is_not_decided():
    decided = Row(status="decided")
    for more in ({}, {"failed": True}, {"returned": True}):
        assert next_move(paused(pauses=(PAUSE, STOP), **more), (decided, AT_STOP)) == Wait()


def test_breakpoints_that_stand_side_by_side_are_passed_when_all_are_decided():
    other = Pause.asking("c" * 32, STOP.asked)
    row = replace(AT_STOP, status="decided")
    beside = replace(row, interrupt_id="c" * 32, status="expired")

    assert next_move(paused(pauses=(STOP, other)), (row,)) == Wait()
    assert next_move(paused(pauses=(STOP, other)), (row, beside)) == Step(((row, STOP), (beside, other)))


def test_a_breakpoint_that_was_marked_and_still_stands_is_passed_again_and_written_once_by_its_proof():
    row = replace(AT_STOP, status="decided", applying_at=AT)

    assert next_move(paused(pauses=(STOP,)), (row,)) == Step(((row, STOP),))
    assert follow(paused(pauses=()), (row,)).applied == (row,)


def test_a_breakpoint_that_vanished_undecided_orphans_its_thread_wherever_the_graph_stands():
    row = replace(AT_STOP, status="orphaned")

    assert follow(paused(pauses=()), (AT_STOP,)).vanished == (AT_STOP,)
    for more in ({}, {"failed": True}):
        assert next_move(paused(pauses=(), **more), (row,)) == Orphan()


def test_a_nodes_nameless_interrupt_is_answered_after_everything_else():
    nameless = Pause.asking("d" * 32, Asked(STOP.asked.request, "node_interrupt"))
    row = Row("d" * 32, status="decided", dialect="node_interrupt", payload_hash=nameless.payload_hash)
    stops = {nameless.interrupt_id: None}

    assert next_move(paused(pauses=(PAUSE, nameless), stops=stops), (row, Row())) == Wait()
    assert next_move(paused(pauses=(nameless,), stops=stops), (row,)) == Step(((row, nameless),))


def test_a_refused_answer_is_told_once_and_of_several_none_before_each_was_sent_alone():
    first, second = (replace(PAUSE, interrupt_id=c * 32) for c in "cd")
    both = paused(pauses=(first, second), returned=True)
    rows = [Row(pause.interrupt_id, "decided", applying_at=AT) for pause in (first, second)]
    refused = Refused()

    refused.note([first.interrupt_id, second.interrupt_id], ValueError("no"))
    unclear = refused.shown(both)
    assert (follow(unclear, (*rows,)), next_move(unclear, (*rows,))) == (Changes(), Send(((rows[0], first),)))

    refused.note([first.interrupt_id], ValueError("no"))
    assert follow(refused.shown(both), (*rows,)) == Changes(superseded=((rows[0], first),))
    assert follow(refused.shown(both), (*rows,)) == Changes()

    refused.note([first.interrupt_id], ValueError("no"))
    assert not refused.shown(paused(pauses=(second,))).refused, "what is pending no more was taken"
