"""May this person decide? In doubt, no."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.approvals import Policy
from bot.approvals.standing import STALE_AFTER, Group, Person, Refused, Standing, standing

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
MAYA, FINN = "U01MAYA", "U02FINN"
PERSON = Person(MAYA, "T1", is_bot=False, is_guest=False, is_deactivated=False, fetched_at=NOW)
MANAGERS = Group("S01FINMGR", "finance-managers", frozenset({MAYA}), NOW)
DIRECTORS = Group("S02FINDIR", "finance-directors", frozenset({FINN}), NOW)


def judged(
    person: Person | None = PERSON,
    *approvers: str,
    groups: tuple[Group, ...] = (),
    own: frozenset[str] = frozenset(),
    **more: Any,
) -> Standing | Refused:
    about = {"home_team": "T1", "now": NOW} | more
    policy = Policy(approvers=approvers, self_approval=about.pop("self_approval", False))
    return standing(person, policy, groups, own=own, **about)


def test_somebody_who_is_named_may() -> None:
    assert judged(PERSON, MAYA) == Standing("named")


def test_somebody_who_is_not_named_may_not() -> None:
    assert judged(PERSON, FINN) == Refused("not_listed")


@pytest.mark.parametrize(
    ("groups_at", "why"),
    [(NOW, "no_group"), (NOW - STALE_AFTER - timedelta(seconds=1), "unchecked"), (None, "unchecked")],
)
def test_a_group_that_does_not_exist_is_told_from_one_that_nobody_has_looked_for(
    groups_at: datetime | None, why: str
) -> None:
    assert judged(PERSON, "@gone", FINN, groups_at=groups_at) == Refused(why)
    assert judged(PERSON, "@gone", MAYA, groups_at=groups_at) == Standing("named")


def test_an_empty_list_means_nobody() -> None:
    assert judged(PERSON) == Refused("not_listed")


@pytest.mark.parametrize("name", ["@finance-managers", "S01FINMGR"])
def test_a_member_of_a_group_may_by_its_handle_or_its_id(name: str) -> None:
    found = judged(PERSON, name, groups=(MANAGERS,), now=NOW + timedelta(seconds=90))
    assert found == Standing("@finance-managers, membership checked 90 s before")


def test_somebody_who_is_in_none_of_the_groups_may_not() -> None:
    assert judged(PERSON, "@finance-directors", groups=(DIRECTORS,)) == Refused("not_listed")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"team_id": "T2"}, "foreign"),
        ({"team_id": None}, "foreign"),
        ({"is_deactivated": True}, "deactivated"),
        ({"is_bot": True}, "bot"),
        ({"is_guest": True}, "guest"),
    ],
)
def test_being_named_does_not_help_who_may_never(change: dict[str, Any], why: Any) -> None:
    person = replace(PERSON, **change)
    assert judged(person, MAYA) == Refused(why)
    assert judged(person, "@finance-managers", groups=(MANAGERS,)) == Refused(why)


def test_nobody_decides_their_own_however_they_are_listed() -> None:
    own = frozenset({MAYA})
    assert judged(PERSON, MAYA, own=own) == Refused("own")
    assert judged(PERSON, "@finance-managers", groups=(MANAGERS,), own=own) == Refused("own")


def test_unless_the_policy_lets_them_but_then_they_must_be_listed_too() -> None:
    own = frozenset({MAYA})
    assert judged(PERSON, MAYA, own=own, self_approval=True) == Standing("named")
    assert judged(PERSON, FINN, own=own, self_approval=True) == Refused("not_listed")


def test_somebody_of_whom_nothing_is_known_could_not_be_checked() -> None:
    assert judged(None, MAYA) == Refused("unchecked")


def test_a_database_that_knows_no_workspace_lets_nobody_decide() -> None:
    assert judged(PERSON, MAYA, home_team=None) == Refused("unchecked")


def test_what_is_known_of_a_person_is_believed_for_fifteen_minutes() -> None:
    assert judged(PERSON, MAYA, now=NOW + STALE_AFTER) == Standing("named")
    assert judged(PERSON, MAYA, now=NOW + STALE_AFTER + timedelta(microseconds=1)) == Refused("unchecked")


def test_a_membership_is_believed_as_long_and_no_longer() -> None:
    fresh = replace(PERSON, fetched_at=NOW + STALE_AFTER)
    late = NOW + STALE_AFTER + timedelta(microseconds=1)
    listed = ("@finance-managers",)
    assert isinstance(judged(fresh, *listed, groups=(MANAGERS,), now=NOW + STALE_AFTER), Standing)
    assert judged(fresh, *listed, groups=(MANAGERS,), now=late) == Refused("unchecked")


def test_a_stale_group_is_no_reason_to_say_that_somebody_is_not_in_it() -> None:
    stale = replace(DIRECTORS, fetched_at=NOW - timedelta(hours=1))
    assert judged(PERSON, "@finance-directors", groups=(stale,)) == Refused("unchecked")


def test_one_fresh_group_is_enough_whatever_the_others_are() -> None:
    stale = replace(DIRECTORS, fetched_at=NOW - timedelta(hours=1))
    found = judged(PERSON, "@nowhere", "@finance-directors", "@finance-managers", groups=(stale, MANAGERS))
    assert isinstance(found, Standing)


def test_a_group_that_does_not_resolve_could_not_be_checked() -> None:
    assert judged(PERSON, "@nowhere") == Refused("unchecked")


def test_a_group_that_the_policy_does_not_name_gives_no_right() -> None:
    assert judged(PERSON, FINN, groups=(MANAGERS,)) == Refused("not_listed")


def test_a_handle_in_place_of_an_id_gives_no_right() -> None:
    """Somebody may call a group by the id of another."""
    posing = Group("S09OTHERS", "S01FINMGR", frozenset({MAYA}), NOW)
    real = replace(MANAGERS, members=frozenset({FINN}))
    assert judged(PERSON, "S01FINMGR", groups=(posing, real)) == Refused("not_listed")
