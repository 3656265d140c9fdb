"""What an answer's schema calls a password reaches the graph, and nobody else."""

from __future__ import annotations

import json

import foreign
from fixtures_house import FINANCE, FINN, MAYA, Row, Running
from pydantic import BaseModel, SecretStr

from bot.api.shapes import approval_json
from bot.approvals import ApprovalRequest, Policy
from bot.approvals.secrets import MASKED
from bot.commands.story import read
from bot.postgres.listing import Shown

MASKED_LOGIN = {"user": "ro", "pin": MASKED}


class Login(BaseModel):
    user: str
    pin: SecretStr | None


async def test_a_password_is_on_no_card_in_no_thread_and_not_in_the_audit(house: Running) -> None:
    policy = Policy(approvers=(MAYA, FINN), approvals=2)
    # As a dict, so that LangGraph leaves the answer as it was sent.
    thread_id = await foreign.asked(house, "Log in?", Login.model_json_schema(), policy=policy)
    view = await opened(house, MAYA, "signoff.edit")
    ids = {block["label"]["text"]: block["block_id"] for block in view["blocks"] if block["type"] == "input"}

    assert (await house.slack.submit(MAYA, view, {ids["User"]: "ro", ids["Pin"]: "81-42"})).acked
    await house.drain()
    assert "ro" in str(house.card(FINANCE)["blocks"])
    (menu,) = [
        e for b in house.card(FINANCE)["blocks"] for e in b.get("elements", ()) if e["type"] == "overflow"
    ]
    await opened(house, MAYA, "signoff.more", option=menu["options"][-1]["value"])
    view = await opened(house, FINN, "signoff.edit")
    assert (await house.slack.submit(FINN, view, {})).acked
    await house.drain()

    assert (await house.thread(thread_id)).result == {"got": [{"user": "ro", "pin": "81-42"}]}
    for shown in map(json.dumps, (house.slack.messages(FINANCE), house.slack.views(MAYA))):
        assert "\\u2022\\u2022\\u2022" in shown
        assert "81-42" not in shown
    assert "81-42" not in json.dumps(house.slack.views(FINN))
    assert "81-42" not in json.dumps(await house.audit(thread_id))
    told = approval_json(Shown(await house.approval(thread_id), (), None, None))
    assert (told["request"]["proposal"], told["decision"]["proposal"]) == (MASKED_LOGIN, MASKED_LOGIN)
    async with house.house.work.connection() as conn:
        (story,) = (await read(conn, thread_id))["approvals"]
    assert story["proposal"] == story["decision"]["proposal"] == MASKED_LOGIN


async def test_a_password_in_a_request_of_the_workflows_own_is_not_in_the_audit(house: Running) -> None:
    schema = Login.model_json_schema()
    request = {"title": "Log in?", "proposal": {"user": "ro", "pin": "81-42"}, "proposal_schema": schema}
    asked = ApprovalRequest(**request, allow=("approve", "edit")).payload()
    thread_id = await foreign.asked(house, asked, policy=Policy(approvers=(MAYA,)))

    assert "81-42" not in json.dumps(await house.audit(thread_id))


async def test_a_password_among_a_tools_arguments_is_not_in_its_story_either(house: Running) -> None:
    args = {"user": "ro", "pin": "81-42"}
    call = {"name": "log_in", "args": args, "description": f"Log in?\n\nTool: log_in\nArgs: {args}"}
    review = {
        "action_name": "log_in",
        "allowed_decisions": ["approve", "edit"],
        "args_schema": Login.model_json_schema(),
    }
    asked = {"action_requests": [call], "review_configs": [review]}
    thread_id = await foreign.asked(house, asked, policy=Policy(approvers=(MAYA,)))

    async with house.house.work.connection() as conn:
        story = await read(conn, thread_id)
    assert story["approvals"][0]["proposal"] == MASKED_LOGIN
    assert "81-42" not in json.dumps(story, default=str)


async def opened(house: Running, user: str, action_id: str, **clicked: str) -> Row:
    before = len(house.slack.views(user))
    assert (await house.slack.click(user, house.card(FINANCE), action_id, **clicked)).acked
    await house.slack.until(lambda: len(house.slack.views(user)) > before)
    return house.slack.views(user)[-1]
