"""What is known of groups costs Slack nothing, and what an author wrote keeps its order."""

from __future__ import annotations

from fixtures_house import FINANCE, MAYA, OPS, OTTO, Running

import workflows.expense


def looked_up(house: Running) -> int:
    return sum(call.method == "usergroups.list" for call in house.slack.calls)


async def test_a_group_that_is_known_is_not_looked_up_at_every_click(house: Running) -> None:
    await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")
    await house.click(OTTO, FINANCE, "signoff.approve")
    before = looked_up(house)
    await house.click(OTTO, FINANCE, "signoff.approve")
    await house.click(MAYA, FINANCE, "signoff.approve")

    assert looked_up(house) == before


async def test_ops_hear_nothing_of_a_group_that_exists(house: Running) -> None:
    await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")

    assert house.slack.messages(OPS) == []


async def test_a_proposal_keeps_the_order_in_which_its_author_wrote_it(house: Running) -> None:
    thread_id = await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")
    approval = await house.approval(thread_id)

    assert list(approval.proposal) == list(workflows.expense.PaymentProposal.model_fields)
    await house.click(MAYA, FINANCE, "signoff.edit")
    labels = [b["label"]["text"] for b in house.slack.views(MAYA)[-1]["blocks"] if b["type"] == "input"]
    assert labels[0] == "Vendor"


async def test_the_very_first_card_mentions_its_group(house: Running) -> None:
    await house.run("expense", workflows.expense.samples["hotel"], "U05ROSA")

    assert "<!subteam^S01FINMGR>" in str(house.card(FINANCE)["blocks"])
    assert sum(call.method == "chat.update" for call in house.slack.calls) == 0
