"""The App Home and `/approvals`: the right lists for each person, buttons that work, and starting things."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from asking import calls, refuse, retried, tick, told_ops
from fixtures_decisions import MODULE, asking, editable
from fixtures_house import (
    CLEO,
    DANA,
    FINANCE,
    FINN,
    GWEN,
    MAYA,
    OTTO,
    ROSA,
    UNHURRIED,
    Row,
    Running,
    running_house,
)

import workflows.expense
from bot.facts import homes
from bot.postgres import inbox as inbox_module
from bot.roles.slack import drained
from bot.slack.listeners.command import UNSURE_START
from bot.slack.listeners.desk import NOT_SHOWN


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,)) as running:
        yield running


async def home_of(house: Running, user: str) -> Row:
    """Open the Home and return it as it is published by that."""
    await house.slack.open_home(user)
    return await shown(house, user)


async def shown(house: Running, user: str) -> Row:
    """The Home as Slack shows it once what was done has been drawn."""
    await drained()
    await house.drain()
    return house.slack.home(user)


def listed(view: Row) -> dict[str, list[str]]:
    """The titles under each heading of a Home or of an answer."""
    lists: dict[str, list[str]] = {}
    for block in view["blocks"]:
        if block["type"] == "header":
            lists[block["text"]["text"]] = []
        elif block["type"] == "section" and lists:
            text = block["text"]["text"]
            if text.startswith(("<http", "*")):
                lists[list(lists)[-1]].append(text.split("\n")[0].partition("|")[2].rstrip(">"))
    return lists


async def answer(house: Running, user: str, text: str = "") -> Row:
    ack = await house.slack.command(user, FINANCE, "/approvals", text)
    assert ack.acked
    assert ack.body["response_type"] == "ephemeral"
    return ack.body


async def test_a_home_lists_what_waits_for_its_person_and_not_what_waits_for_others(house: Running) -> None:
    await asking(house, MAYA, title="For Maya")
    await asking(house, FINN, title="For Finn")
    await asking(house, "@finance-managers", title="For managers")
    await house.house.directory.refresh_groups()

    assert listed(await home_of(house, MAYA))["Waiting for you"] == ["For Maya", "For managers"]
    assert listed(await home_of(house, FINN))["Waiting for you"] == ["For Finn", "For managers"]
    assert listed(await home_of(house, OTTO)) == {"Waiting for you": []}


async def test_what_one_asked_for_waits_for_others_only(house: Running) -> None:
    await asking(house, MAYA, FINN, requester=MAYA, title="Mine")
    await asking(house, MAYA, FINN, starter=f"slack:{MAYA}", requester=None, title="Started by me")
    await asking(house, MAYA, requester=MAYA, self_approval=True, title="Mine to decide")

    home = listed(await home_of(house, MAYA))

    assert home["Waiting for you"] == ["Mine to decide"]
    assert set(home["You asked for"]) == {"Mine", "Mine to decide"}


async def test_what_one_has_voted_on_waits_again_only_after_an_edit(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, approvals=2, title="For two", **editable())
    await desk.click(MAYA)
    assert listed(await home_of(house, MAYA))["Waiting for you"] == []

    view = await desk.open(FINN, "signoff.edit")
    (seats,) = [b["block_id"] for b in view["blocks"] if b["type"] == "input" and "Seats" in str(b["label"])]
    await house.slack.submit(FINN, view, {seats: "3"})

    assert listed(await home_of(house, MAYA))["Waiting for you"] == ["For two"]


async def test_nothing_waits_for_those_who_may_never_decide(house: Running) -> None:
    house.slack.state.set_user(replace(house.slack.state.users[OTTO], team_id="T99OTHER"))
    await asking(house, GWEN, OTTO, title="For a guest, and for somebody from elsewhere")
    for user in (GWEN, OTTO):
        await house.house.directory.look_up_person(user)

        assert listed(await home_of(house, user))["Waiting for you"] == []


async def test_many_of_ones_own_do_not_hide_what_waits(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "MOST", 2)
    for number in range(3):
        await asking(house, MAYA, FINN, requester=MAYA, title=f"Mine {number}")
    await asking(house, MAYA, title="Somebody else's")

    assert listed(await home_of(house, MAYA))["Waiting for you"] == ["Somebody else's"]


async def test_what_is_not_listed_is_counted_however_much_it_is(house: Running) -> None:
    desk = await asking(house, MAYA, requester=CLEO, title="For Maya")
    columns = await house.rows(
        "select string_agg(column_name, ', ') as all_others from information_schema.columns "
        "where table_name = 'approvals' and column_name not in ('approval_id', 'interrupt_id')"
    )
    others = columns[0]["all_others"]
    await house.execute(
        f"insert into approvals (approval_id, interrupt_id, {others}) "
        f"select 'copy' || n, 'i' || n, {others} from approvals, generate_series(1, 99) n "
        "where thread_id = %s",
        desk.thread_id,
    )

    assert "And 88 more approvals" in str(await home_of(house, MAYA))
    assert "And 90 more approvals" in str(await home_of(house, CLEO))
    said = await answer(house, MAYA)
    assert "100 approvals waiting for you" in said["text"]
    assert "And 85 more" in str(said)


async def test_what_was_settled_lately_is_listed_for_who_asked_and_who_voted(house: Running) -> None:
    desk = await asking(house, MAYA, requester=CLEO, title="Settled")
    await desk.click(MAYA)
    await house.drain()

    assert listed(await home_of(house, MAYA))["Settled lately"] == ["Settled"]
    assert listed(await home_of(house, CLEO))["Settled lately"] == ["Settled"]
    assert "Settled lately" not in listed(await home_of(house, FINN))
    await house.pass_time(timedelta(days=8))
    assert "Settled lately" not in listed(await home_of(house, MAYA))


async def test_the_buttons_of_a_home_decide_and_the_home_is_drawn_again(house: Running) -> None:
    desk = await asking(house, MAYA, title="From home")
    view = await home_of(house, MAYA)

    ack = await house.slack.click(MAYA, view, "signoff.approve")

    assert ack.acked
    assert (await desk.approval()).decision.by.user == MAYA
    assert listed(await shown(house, MAYA)) == {"Waiting for you": [], "Settled lately": ["From home"]}
    assert f"Approved by <@{MAYA}>" in desk.card()["text"]


async def test_a_form_opened_from_a_home_decides_and_the_home_is_drawn_again(house: Running) -> None:
    desk = await asking(house, MAYA, title="From home")
    view = await home_of(house, MAYA)

    await house.slack.click(MAYA, view, "signoff.reject")
    await house.slack.until(lambda: house.slack.views(MAYA))
    await house.slack.submit(MAYA, house.slack.views(MAYA)[-1], {"words": "no"})

    assert (await desk.approval()).decision.verdict == "reject"
    assert listed(await shown(house, MAYA))["Waiting for you"] == []


async def test_a_home_that_is_out_of_date_is_told_directly_and_drawn_again(house: Running) -> None:
    desk = await asking(house, MAYA, FINN)
    view = await home_of(house, MAYA)
    await desk.click(FINN)

    ack = await house.slack.click(MAYA, view, "signoff.approve")

    assert ack.acked
    await house.slack.until(lambda: house.slack.messages(MAYA))
    told = house.slack.messages(MAYA)[-1]["text"]
    assert f"already approved by <@{FINN}>" in told
    assert told.startswith("*Pay Acme 12,400.00 USD*\n"), "there is no card beside it"
    assert listed(await shown(house, MAYA))["Waiting for you"] == []


async def test_a_home_that_slack_does_not_take_costs_nobody_the_acknowledgement(house: Running) -> None:
    desk = await asking(house, MAYA)
    view = await home_of(house, MAYA)
    house.slack.fault("views.publish", "dropped")

    ack = await house.slack.click(MAYA, view, "signoff.approve")

    assert ack.acked
    assert (await desk.approval()).status == "decided"
    await shown(house, MAYA)
    await retried(house)
    assert listed(house.slack.home(MAYA))["Waiting for you"] == []


# A Home that is open, and what others do


async def later(house: Running, by: timedelta = timedelta(seconds=10)) -> None:
    """Let the clock tick and what it wants drawn be drawn."""
    await tick(house, by)


def published(house: Running) -> int:
    return calls(house, "views.publish")


async def test_an_open_home_is_drawn_again_when_somebody_else_settles_what_waits_there(
    house: Running,
) -> None:
    desk = await asking(house, MAYA, FINN, title="For both")
    assert listed(await home_of(house, MAYA))["Waiting for you"] == ["For both"]

    await desk.click(FINN)
    await house.drain()
    await later(house)

    assert listed(house.slack.home(MAYA))["Waiting for you"] == []


async def test_an_open_home_is_drawn_again_when_something_new_comes_for_its_person(house: Running) -> None:
    await house.house.directory.refresh_groups()
    for user in (MAYA, ROSA, OTTO):
        await home_of(house, user)

    await asking(house, "@finance-managers", title="New", requester=ROSA)
    before = published(house)
    await later(house)

    assert listed(house.slack.home(MAYA))["Waiting for you"] == ["New"]
    assert listed(house.slack.home(ROSA))["You asked for"] == ["New"]
    assert published(house) == before + 2  # it is none of Otto's business


async def test_an_open_home_is_drawn_again_when_its_person_comes_to_a_group_or_leaves_it(
    house: Running,
) -> None:
    await house.house.directory.refresh_groups()
    await asking(house, "@finance-managers", title="For managers")
    for user in (MAYA, FINN, ROSA, OTTO):
        await home_of(house, user)
    assert listed(house.slack.home(MAYA))["Waiting for you"] == ["For managers"]
    await later(house)
    before = published(house)

    house.slack.state.set_group("S01FINMGR", OTTO, FINN)
    await house.house.directory.refresh_groups()
    await later(house)

    assert listed(house.slack.home(OTTO))["Waiting for you"] == ["For managers"]
    assert listed(house.slack.home(MAYA))["Waiting for you"] == []
    assert published(house) == before + 2  # Finn has stayed, and Rosa is in none
    await house.house.directory.refresh_groups()
    await later(house)
    assert published(house) == before + 2


async def test_many_changes_draw_an_open_home_once(house: Running) -> None:
    await home_of(house, MAYA)
    await later(house)
    before = published(house)

    for number in range(5):
        await asking(house, MAYA, title=f"No. {number}")
    for _ in range(3):
        await later(house, timedelta(seconds=1))
    for _ in range(3):
        await later(house)

    assert len(listed(house.slack.home(MAYA))["Waiting for you"]) == 5
    assert published(house) - before <= 2


async def test_a_home_that_is_used_or_opened_again_is_drawn_at_once_and_not_when_its_turn_comes(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "SPACING", timedelta(hours=1))
    await asking(house, MAYA, title="Old")
    view = await home_of(house, MAYA)
    await asking(house, MAYA, title="New")
    await later(house)
    assert "New" not in str(house.slack.home(MAYA))

    await house.slack.click(MAYA, view, "signoff.approve")
    assert listed(await shown(house, MAYA))["Waiting for you"] == ["New"]

    await asking(house, MAYA, title="Newer")
    await later(house)
    assert "Newer" not in str(house.slack.home(MAYA))
    assert listed(await home_of(house, MAYA))["Waiting for you"] == ["New", "Newer"]


async def test_an_open_home_that_nothing_concerns_is_left_alone(house: Running) -> None:
    await home_of(house, MAYA)
    await later(house)
    before = published(house)

    for _ in range(5):
        await later(house)

    assert published(house) == before


async def test_a_home_that_nobody_has_opened_for_hours_is_left_alone_until_it_is_opened(
    house: Running,
) -> None:
    await home_of(house, MAYA)
    await house.pass_time(homes.KEPT)
    before = published(house)

    await asking(house, MAYA, title="New")
    await later(house)
    assert published(house) == before

    await house.execute("update messages set error = 'a fault in Signoff' where kind = 'home'")
    assert listed(await home_of(house, MAYA))["Waiting for you"] == ["New"], "an old failure is no obstacle"


async def test_a_home_is_drawn_when_slack_lets_it(house: Running) -> None:
    await house.house.directory.refresh_groups()
    house.slack.fault("views.publish", "ratelimited")
    house.slack.fault("views.publish", "server_error")

    await home_of(house, MAYA)
    await retried(house, 2)

    assert house.slack.home(MAYA)
    assert await house.rows("select 1 from messages where wanted > drawn") == []


async def test_a_home_that_slack_refuses_for_good_bothers_nobody(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "views.publish", "not_enabled")

    await home_of(house, MAYA)
    await retried(house)

    assert told_ops(house) == []
    assert await house.rows("select 1 from messages where error is not null or wanted > drawn") == []


# /approvals


async def test_approvals_lists_what_waits_and_what_one_asked_for(house: Running) -> None:
    await asking(house, MAYA, title="For Maya")
    await asking(house, FINN, requester=MAYA, title="Maya's own")

    said = await answer(house, MAYA)

    assert listed(said) == {"Waiting for you": ["For Maya"], "You asked for": ["Maya's own"]}
    assert "1 approval waiting" in said["text"]


async def test_approvals_says_so_where_there_is_nothing(house: Running) -> None:
    said = await answer(house, OTTO)

    assert "Nothing waits for you" in str(said)


@pytest.mark.parametrize("asked", ["help", "what", "HELP", "start"])
async def test_help_names_what_can_be_started(house: Running, asked: str) -> None:
    said = str(await answer(house, OTTO, asked))

    assert "expense" in said
    assert "incident" in said


async def test_start_runs_a_workflow_for_whoever_asks(house: Running) -> None:
    claim = json.dumps(workflows.expense.samples["hotel"])

    said = await answer(house, ROSA, f"start expense {claim}")
    await house.drain()

    assert "Started *expense*" in str(said)
    (row,) = await house.rows("select thread_id, requester, starter from threads")
    assert (row["requester"], row["starter"]) == (ROSA, f"slack:{ROSA}")
    assert "Hotel Adler" in house.card(FINANCE)["text"]
    await house.click(ROSA, FINANCE, "signoff.approve")
    (refused,) = [e for e in await house.audit(row["thread_id"]) if e["event"] == "approval.refused"]
    assert refused["data"]["why"] == "own"


async def test_start_takes_an_input_of_several_lines(house: Running) -> None:
    claim = json.dumps(workflows.expense.samples["hotel"], indent=2)

    said = await answer(house, ROSA, f"start expense\n{claim}")

    assert "Started *expense*" in str(said)


async def test_start_takes_the_quotes_and_dashes_that_a_mac_makes_of_typed_ones(house: Running) -> None:
    claim = json.dumps(workflows.expense.samples["hotel"], ensure_ascii=False)
    curly = re.sub('"(.*?)"', "\u201c\\1\u201d", claim)

    said = await answer(house, ROSA, f"start expense \u2014autonomy step_by_step {curly}")

    assert "Started *expense*" in str(said)
    (row,) = await house.rows("select input, autonomy from threads")
    assert row["input"]["description"] == workflows.expense.samples["hotel"]["description"]
    assert row["autonomy"] == "step_by_step"


async def test_an_input_whose_characters_come_as_entities_is_what_was_typed(house: Running) -> None:
    claim = workflows.expense.samples["hotel"] | {"description": "R&D <Graz> at &amp"}
    sent = json.dumps(claim).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    said = await answer(house, ROSA, f"start expense {sent}")

    assert "Started" in str(said["blocks"])
    (row,) = await house.rows("select input from threads")
    assert row["input"]["description"] == "R&D <Graz> at &amp"


async def test_curly_quotes_inside_an_input_stay_what_they_are(house: Running) -> None:
    claim = workflows.expense.samples["hotel"] | {"description": "\u201cKick-off\u201d"}

    await answer(house, ROSA, f"start expense {json.dumps(claim, ensure_ascii=False)}")

    (row,) = await house.rows("select input from threads")
    assert row["input"]["description"] == "\u201cKick-off\u201d"


@pytest.mark.parametrize(
    "line", ["--autonomy step_by_step {}", "--autonomy=step_by_step {}", "{} --autonomy step_by_step"]
)
async def test_start_takes_an_autonomy_before_the_input_or_after_it(house: Running, line: str) -> None:
    await answer(house, ROSA, "start expense " + line.format(json.dumps(workflows.expense.samples["hotel"])))

    assert await house.rows("select autonomy from threads") == [{"autonomy": "step_by_step"}]


async def test_people_of_other_workspaces_start_nothing_and_members_of_several_do(house: Running) -> None:
    state, text = house.slack.state, f"start expense {json.dumps(workflows.expense.samples['hotel'])}"
    state.set_user(replace(state.users[ROSA], team_id="T99OTHER", teams=("T99OTHER", "T00DEMO")))
    for user in (OTTO, DANA):
        state.set_user(replace(state.users[user], team_id="T99OTHER"))

    assert "Started" in (await answer(house, ROSA, text))["text"]
    assert "other workspaces" in (await answer(house, OTTO, text))["text"]
    house.slack.faults.add("users.info", "server_error")
    assert "could not check" in (await answer(house, DANA, text))["text"]
    await house.execute("update people set fetched_at = fetched_at - interval '1 day'")
    house.slack.faults.add("users.info", "server_error")
    assert "could not check" in (await answer(house, ROSA, text))["text"], "they belonged to us a day ago"
    assert await house.rows("select requester from threads") == [{"requester": ROSA}]


async def test_a_command_that_slack_sends_again_starts_nothing_again_and_a_second_one_does(
    house: Running,
) -> None:
    text = f"start expense {json.dumps(workflows.expense.samples['hotel'])}"

    for threads, times in ((1, 3), (2, 1)):
        assert (await house.slack.command(ROSA, FINANCE, "/approvals", text, times=times)).acked
        assert len(await house.rows("select 1 from threads")) == threads


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "name a workflow"),
        ("payroll {}", "payroll"),
        ("expense {", "not JSON"),
        ("expense []", "JSON object"),
        ('expense "x"', "JSON object"),
        ("expense {}", "vendor"),
        ("expense --autonomy full {}", "it allows on_action, step_by_step"),
        ("expense --autonomy", "it allows on_action, step_by_step"),
        ('expense {"amount": -5}', "amount"),
        ('expense {"amount": NaN}', "amount"),
        ('asked {"request": "a\\u0000b"}', "request"),
        ('asked {"request": "\\ud83d"}', "request"),
        ("asked " + '{"a":' * 200 + "1" + "}" * 200, "levels"),
        ("asked " + "[" * 3000, "JSON"),
        ("asked " + '{"a":' * 2500 + "1" + "}" * 2500, "nested"),
    ],
)
async def test_what_cannot_be_started_is_said_with_the_field_that_is_wrong(
    house: Running, given: str, says: str
) -> None:
    said = await answer(house, ROSA, f"start {given}")

    assert "Nothing was started" in said["text"]
    assert says in str(said)
    assert await house.rows("select 1 from threads") == []


async def test_a_wrong_input_is_answered_with_its_own_workflow_and_not_with_all(house: Running) -> None:
    known = str(await answer(house, ROSA, "start asked {}"))
    unknown = str(await answer(house, ROSA, "start nothing {}"))

    assert "*asked*" in known
    assert "*expense*" not in known
    assert "*asked*" in unknown
    assert "*expense*" in unknown


async def test_with_the_database_away_a_list_says_so_and_a_start_promises_nothing(database: str) -> None:
    async with (
        running_house(database, extra=(MODULE,), patience=replace(UNHURRIED, lock=0.5)) as house,
        await psycopg.AsyncConnection.connect(house.dsn) as other,
    ):
        await other.execute("lock table threads, approvals in access exclusive mode")

        assert (await answer(house, ROSA))["text"] == NOT_SHOWN
        assert (await answer(house, ROSA, 'start asked {"request": {}}'))["text"] == UNSURE_START


async def test_with_the_database_away_who_may_be_a_stranger_starts_nothing_and_is_told_so_in_time(
    database: str,
) -> None:
    patience = replace(UNHURRIED, answer=UNHURRIED.database + 0.05)
    async with running_house(database, extra=(MODULE,), patience=patience) as house:
        house.slack.state.set_user(replace(house.slack.state.users[ROSA], team_id="T99OTHER"))
        house.slack.delivery.ack_seconds = 15
        async with await psycopg.AsyncConnection.connect(house.dsn) as other:
            await other.execute("lock table people in access exclusive mode")

            told = (await answer(house, ROSA, 'start asked {"request": {}}'))["text"]

    assert "Nothing was started" in told
    assert "could not check" in told


async def test_a_home_with_more_than_fits_is_cut_and_says_how_many_more(house: Running) -> None:
    for number in range(14):
        await house.start(
            "asked", {"request": {"title": f"No. {number}", "policy": {"approvers": [DANA]}}}, ROSA
        )
    await house.drain()

    await house.execute(
        "update approvals set created_at = created_at + nth * interval '1 hour', "
        "due_at = signoff_now() + (20 - nth) * interval '1 day' "
        "from (select approval_id, substr(request ->> 'title', 5)::int as nth from approvals) as of_title "
        "where of_title.approval_id = approvals.approval_id"
    )

    view = await home_of(house, DANA)

    assert listed(view)["Waiting for you"] == [f"No. {number}" for number in range(13, 1, -1)], "by deadline"
    assert listed(await home_of(house, ROSA))["You asked for"][:2] == ["No. 13", "No. 12"], "the newest first"
    assert "2 more" in str(view)
