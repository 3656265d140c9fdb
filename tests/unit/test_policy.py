"""Who may decide, what votes amount to, and what a request may tighten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.approvals import Policy, Vote
from bot.approvals.policy import is_group, is_user, tighten, winning

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
A, B, C = "U0000001", "U0000002", "W0000003"


def vote(user: str, verdict: str = "approve", choice: str | None = None, after: float = 0) -> Vote:
    return Vote(
        user=user, verdict=verdict, choice=choice, at=NOW + timedelta(seconds=after), standing="named"
    )


def policy(**changes: int) -> Policy:
    return Policy(approvers=(A, B, C), **changes)


def tally(policy: Policy, votes: tuple[Vote, ...], *, takes_words: bool = False) -> Vote | None:
    """Return the vote that speaks for the side that won."""
    side = winning(policy, votes, takes_words=takes_words)
    return side.decisive if side else None


@pytest.mark.parametrize("name", ["U01MAYA", "W012345", "S01FINMGR", "@finance-managers", "@a", "@on.call_2"])
def test_users_groups_and_handles_are_approvers(name: str) -> None:
    assert Policy(approvers=(name,)).approvers == (name,)


@pytest.mark.parametrize("name", ["", "maya", "#finance", "@", "@Upper", "U1", "u01maya", "U01MAYA\n", "!x"])
def test_anything_else_is_refused_when_the_policy_is_written(name: str) -> None:
    with pytest.raises(ValidationError, match="not a user id"):
        Policy(approvers=(name,))


def test_a_lone_approver_is_refused_with_how_to_list_them() -> None:
    with pytest.raises(ValidationError, match=r'give a list, as in \["@finance-managers"\]'):
        Policy.model_validate({"approvers": "@finance-managers"})


def test_an_approver_named_twice_is_one() -> None:
    assert Policy(approvers=(A, B, A)).approvers == (A, B)


def test_users_and_groups_are_told_apart() -> None:
    mixed = Policy(approvers=(A, "@managers", "S01FINMGR"))
    assert (mixed.users, mixed.groups) == ((A,), ("@managers", "S01FINMGR"))
    assert is_user(A)
    assert not is_user("@managers")
    assert is_group("@managers")
    assert not is_group(A)


def test_without_a_word_about_it_nobody_may_decide_and_nobody_their_own() -> None:
    assert Policy().approvers == ()
    assert Policy().self_approval is False
    assert (Policy().approvals, Policy().rejections) == (1, 1)


@pytest.mark.parametrize("field", ["approvals", "rejections"])
@pytest.mark.parametrize("value", [0, -1, 101])
def test_a_quorum_is_at_least_one(field: str, value: int) -> None:
    with pytest.raises(ValidationError):
        Policy(**{field: value})


def test_nothing_is_decided_without_votes() -> None:
    assert tally(policy(), ()) is None


def test_the_vote_that_completes_the_quorum_decides() -> None:
    votes = (vote(A), vote(B, after=1))
    assert tally(policy(approvals=2), votes[:1]) is None
    assert tally(policy(approvals=2), votes) == votes[1]


def test_a_person_who_votes_twice_counts_once_with_the_later_vote() -> None:
    votes = (vote(A), vote(A, after=1))
    assert tally(policy(approvals=2), votes) is None
    changed = (vote(A), vote(A, "reject", after=1), vote(B, after=2))
    assert tally(policy(approvals=2, rejections=2), changed) is None


def test_the_order_in_which_votes_are_read_does_not_matter() -> None:
    votes = (vote(A, "reject", after=2), vote(A, after=1), vote(B, after=0))
    winner = tally(policy(approvals=2), votes)
    assert winner is not None
    assert winner.verdict == "reject"


def test_rejections_have_a_quorum_of_their_own() -> None:
    votes = (vote(A, "reject"), vote(B, "reject", after=1))
    assert tally(policy(approvals=3, rejections=2), votes[:1]) is None
    assert tally(policy(approvals=3, rejections=2), votes) == votes[1]


def test_an_answer_in_words_counts_like_a_rejection() -> None:
    assert tally(policy(approvals=3), (vote(A, "respond"),)) is not None
    assert tally(policy(approvals=1, rejections=2), (vote(A, "respond"),)) is None


def test_who_rejects_and_who_answers_in_words_stop_it_together() -> None:
    votes = (vote(A, "reject"), vote(B, "respond", after=1))
    assert tally(policy(rejections=2), votes[:1]) is None
    assert tally(policy(rejections=2), votes) == votes[0], "words beside a no do not soften it"
    assert tally(policy(rejections=3), votes) is None
    both = (vote(A, "respond"), vote(B, "respond", after=1))
    assert tally(policy(rejections=2), both) == both[1]


def test_words_that_are_the_answer_need_as_many_people_as_an_approval_and_the_same_words() -> None:
    one, same, other = (
        vote(user, "respond", after=n).model_copy(update={"text": text})
        for n, (user, text) in enumerate(((A, "approve"), (B, "approve"), (C, "reject")))
    )
    assert tally(policy(approvals=2), (one,), takes_words=True) is None
    assert tally(policy(approvals=2), (one, other), takes_words=True) is None
    assert tally(policy(approvals=2), (one, other, same), takes_words=True) == same
    assert tally(policy(approvals=2), (one, vote(C, "reject", after=3)), takes_words=True) is not None


def test_those_who_choose_must_agree_on_one_option() -> None:
    votes = (vote(A, "choose", "x"), vote(B, "choose", "y", after=1), vote(C, "choose", "y", after=2))
    assert tally(policy(approvals=2), votes[:2]) is None
    assert tally(policy(approvals=2), votes) == votes[2]


def test_choosing_is_not_approving() -> None:
    assert tally(policy(approvals=2), (vote(A, "choose", "x"), vote(B, after=1))) is None


VOTES = st.lists(
    st.builds(
        vote,
        st.sampled_from([A, B, C]),
        st.sampled_from(["approve", "reject", "respond", "choose"]),
        st.sampled_from([None, "x", "y"]),
        st.floats(0, 100),
    ),
    max_size=8,
)


@given(VOTES, st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_whatever_is_decided_has_enough_distinct_people_behind_it(
    votes: list[Vote], approvals: int, rejections: int, takes_words: bool
) -> None:
    winner = tally(policy(approvals=approvals, rejections=rejections), votes, takes_words=takes_words)
    latest = {v.user: v for v in sorted(votes, key=lambda v: v.at)}
    if winner is None:
        return
    runs = {"approve", "choose"} | ({"respond"} if takes_words else set())
    if winner.verdict in runs:
        same = [v for v in latest.values() if (v.verdict, v.choice) == (winner.verdict, winner.choice)]
        assert len(same) >= approvals
    else:
        same = [v for v in latest.values() if v.verdict not in runs]
        assert len(same) >= rejections
        assert winner.verdict == ("reject" if any(v.verdict == "reject" for v in same) else "respond")
    assert winner in same
    assert winner.at == max(v.at for v in same if v.verdict == winner.verdict)


BASE = Policy(approvers=(A, B, "@managers"), approvals=2, rejections=2)


@pytest.mark.parametrize(
    ("field", "stricter"),
    [("approvers", (B,)), ("approvers", ()), ("approvals", 3), ("rejections", 1)],
)
def test_a_request_may_be_stricter_than_its_workflow(field: str, stricter: Any) -> None:
    assert tighten(BASE, Policy(**{field: stricter})) == (BASE.model_copy(update={field: stricter}), ())


def test_a_request_may_forbid_the_self_approval_that_its_workflow_allows() -> None:
    lax = Policy(approvers=(A,), self_approval=True)
    assert tighten(lax, Policy(self_approval=False)) == (Policy(approvers=(A,)), ())


@pytest.mark.parametrize(
    ("field", "laxer"),
    [("approvers", (A, C)), ("approvals", 1), ("rejections", 3), ("self_approval", True)],
)
def test_a_request_never_loosens_its_workflows_policy_and_is_told_so(field: str, laxer: Any) -> None:
    policy, refused = tighten(BASE, Policy(**{field: laxer}))
    assert policy == BASE
    (line,) = refused
    assert line.startswith(f"policy.{field}: a request may ")
    assert line.endswith("; the workflow's stays in force")


def test_a_wish_is_weighed_field_by_field_and_what_it_leaves_out_stays() -> None:
    policy, refused = tighten(BASE, Policy(approvals=3, rejections=3))
    assert policy == BASE.model_copy(update={"approvals": 3})
    assert [line.partition(":")[0] for line in refused] == ["policy.rejections"]
    assert tighten(BASE, Policy()) == tighten(BASE, BASE) == (BASE, ())
