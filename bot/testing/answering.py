"""A person's answer to a pause, judged and counted as a click in Slack is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.approvals.policy import Verdict
from bot.approvals.standing import Standing
from bot.facts.case import Case
from bot.facts.correcting import corrected
from bot.facts.counting import misfit, with_vote
from bot.facts.deadlines import Reach
from bot.facts.judging import Click, Refusal, judge, who_may
from bot.postgres.rows import Approval
from bot.slack.cards.refusals import refusal
from bot.slack.token import Token
from bot.testing.card import readable
from bot.testing.people import TEAM, People, named
from bot.testing.refused import Refused
from bot.testing.rows import Rows

LONG_AGO = timedelta(days=3650)


def reach(now: datetime) -> Reach:
    """Say that Slack has always been there: nothing that is due is held back."""
    return Reach(now - LONG_AGO, timedelta(0))


def cast(
    rows: Rows, people: People, token: Token, user: str | None, now: datetime, verdict: Verdict, **said: Any
) -> None:
    """Count an answer given on a card with this token; raises `Refused` where it does not count.

    Without a `user` it is given by the first who may and has not voted yet.
    """
    case, click, right = _admitted(rows, people, token, user, now, verdict, **said)
    if right is None:
        return
    counted = with_vote(case, click, right)
    if wrong := misfit(counted):
        told = readable(refusal("unfit", wrong=str(wrong)), people.handles)
        raise Refused("unfit", f"{click.user}: {told}")
    rows.put(counted.approval)
    rows.votes[counted.approval.approval_id] = counted.votes


def begin(
    rows: Rows, people: People, token: Token, user: str | None, now: datetime, verdict: Verdict, **said: Any
) -> None:
    """Click what opens a form, as `cast`: whoever could not submit it is refused before it is filled in."""
    _admitted(rows, people, token, user, now, verdict, **said)


def correct(
    rows: Rows, people: People, token: Token, user: str | None, now: datetime, values: dict[str, Any]
) -> None:
    """Put fields of the state right from a card; raises `Refused` as `cast` does. Earlier votes are void."""
    case, click, right = _admitted(rows, people, token, user, now, "approve", corrects=True)
    made = corrected(case.approval, values, click.user)
    if made is None:
        return
    if right is None:
        raise _refused("outdated", click.user, case, people)
    rows.put(made)
    rows.votes.pop(made.approval_id, None)


def _admitted(
    rows: Rows, people: People, token: Token, user: str | None, now: datetime, verdict: Verdict, **said: Any
) -> tuple[Case, Click, Standing | None]:
    """Judge a click, and say by what right it counts; None where exactly this counts already."""
    approval = rows.approvals[token.approval_id]
    by = named(user) if user else _anybody(rows, people, approval, now)
    case = case_of(rows, people, approval, by, now)
    click = Click(
        user=by,
        team=case.person.team_id if case.person else None,
        approval_id=token.approval_id,
        revision=token.revision,
        verdict=verdict,
        **said,
    )
    match judge(case, click):
        case Standing() as right:
            return case, click, right
        case "repeated":
            return case, click, None
        case "overdue":
            raise AssertionError("what is due has happened: the clock moves by its steps")
        case why:
            raise _refused(why, by, case, people)


def _refused(why: Refusal, by: str, case: Case, people: People) -> Refused:
    told = readable(refusal(why, case.approval, people.ids, user=by, thread=case.thread), people.handles)
    return Refused(why, f"{by}: {told}{_hint(case.approval, people)}")


def case_of(rows: Rows, people: People, approval: Approval, user: str, now: datetime) -> Case:
    """Return what a verdict of `user` is judged by now."""
    votes = rows.votes.get(approval.approval_id, ())
    return Case(
        approval=approval,
        thread=rows.thread,
        votes=votes,
        person=people.person(user, now),
        groups=people.groups(now),
        groups_at=now,
        team=TEAM,
        known_place=True,
        adopted=(),
        reach=reach(now),
        now=now,
        voters=tuple(people.person(vote.user, now) for vote in votes if vote.user != user),
    )


def _anybody(rows: Rows, people: People, approval: Approval, now: datetime) -> str:
    voted = {vote.user for vote in rows.votes.get(approval.approval_id, ())}
    for user in people.listed(approval.policy):
        if user not in voted and isinstance(who_may(case_of(rows, people, approval, user, now)), Standing):
            return user
    nobody = f"Nobody may decide “{approval.request.title}”, or nobody is left."
    raise AssertionError(f"{nobody}{_hint(approval, people) or ' Its policy names no approvers.'}")


def _hint(approval: Approval, people: People) -> str:
    """Tell the test's author about groups that the test has not formed."""
    unknown = [name for name in approval.policy.groups if name not in people.members]
    return "".join(f" Say who is in it: signoff.group({name!r}, 'U01MAYA')." for name in unknown)
