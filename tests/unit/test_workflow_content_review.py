from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from workflows import content_review
from workflows.content_review import samples, workflow
from workflows.content_reviews import draft as content_draft
from workflows.content_reviews.draft import Brief, Draft, drafted, findings

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def started(signoff):
    signoff.group("@compliance", "U06CLEO")
    return lambda sample: signoff.start(workflow, samples[sample])


def test_the_graph_stops_once_the_draft_is_written_and_shows_it_with_what_was_found(started, ledger):
    run = started("boast")

    request = run.request
    assert request.title == "Publish the release note “The best checkout there is”"
    assert request.proposal["body"].startswith("For our customers:\n\nThe checkout is 40 % faster.")
    for line in ("It promises: “best”.", "It promises: “guaranteed”.", "No source for “40 %”."):
        assert line in request.summary
    assert (request.risk, ledger.effects) == ("high", [])
    assert workflow.graph.interrupt_after_nodes == ["write"]


def test_an_approved_draft_is_published_once(started, ledger):
    run = started("post")
    draft = run.request.proposal

    run.approve(by="U06CLEO")
    run.again("publish")

    (published,) = ledger.effects
    assert published.key == f"{run.thread_id}:publication"
    assert (published.data["headline"], published.data["body"]) == (draft["headline"], draft["body"])
    assert (run.status, run.state["result"]) == ("done", "published")
    assert run.state["outcome"] == "Published: approved by U06CLEO."


def test_what_was_edited_is_what_is_published(started, ledger):
    run = started("boast").edit({"headline": "A faster checkout"}, by="U06CLEO")

    assert ledger.effects[0].data["headline"] == "A faster checkout"
    assert run.state["outcome"] == "Published: approved by U06CLEO, after edits."
    assert "It promises: “best”." not in ledger.effects[0].data["open"]


def test_a_refused_draft_is_withdrawn_with_the_reason(started, ledger):
    run = started("boast").reject("we cannot say that", by="U06CLEO")

    assert (run.status, run.state["result"], ledger.effects) == ("done", "withdrawn", [])
    assert run.state["outcome"] == "Withdrawn: rejected by U06CLEO: we cannot say that."


def test_words_send_the_draft_back_and_the_new_one_is_asked_about_again(started, ledger):
    run = started("boast")

    run.respond("Leave out “guaranteed to work”", by="U06CLEO")
    assert "guaranteed" not in run.request.proposal["body"]
    assert "Rewritten as told: Leave out “guaranteed to work”" in run.request.summary
    run.respond("It needs no new contract.", by="U06CLEO")
    assert "It needs no new contract." in run.request.proposal["body"]
    assert "guaranteed" not in run.request.proposal["body"]

    run.approve(by="U06CLEO")
    assert len(ledger.effects) == 1


def test_what_nobody_reviews_within_two_business_days_is_withdrawn(started, ledger):
    run = started("post")

    run.move_clock(timedelta(days=7))

    assert (run.state["result"], ledger.effects) == ("withdrawn", [])
    assert run.state["outcome"] == "Withdrawn: nobody answered in time."


def test_a_draft_that_was_edited_into_none_is_not_published(started, ledger, careless_form):
    run = started("post").edit({"body": ""}, by="U06CLEO")

    assert (run.state["result"], ledger.effects) == ("withdrawn", [])


def test_a_model_writes_the_draft_where_one_is_named(started, monkeypatch):
    asked = []

    def answered(form, instructions, text):
        asked.append((instructions, text))
        return Draft(headline="By a model", body="Said well.")

    monkeypatch.setattr(content_draft.model, "answered", answered)
    run = started("post")

    assert run.request.proposal == {"headline": "By a model", "body": "Said well."}
    run.respond("shorter", by="U06CLEO")
    assert "at most 120 words" in asked[0][0]
    assert "The reviewer says: shorter" in asked[1][1]


def test_a_reader_stops_at_long_texts_long_sentences_promises_and_figures_without_a_source():
    brief = Brief(title="News", points=("a",))
    long = Draft(headline="News", body="word " * 121 + ".")

    assert findings(Draft(headline="News", body="Short and plain."), brief) == []
    assert findings(long, brief)[0] == "It has 122 words; a post has 120 at most."
    assert findings(long, brief)[1].startswith("A sentence of 122 words: “word word")
    sourced = brief.model_copy(update={"source": "the lab"})
    assert findings(Draft(headline="News", body="It is 3 times faster."), sourced) == []


def test_a_draft_says_every_point_and_its_source():
    body = drafted(Brief(title="News", points=("one", "two!"), source="the lab")).body

    assert body == "For our customers:\n\nOne.\n\nTwo!\n\nSource: the lab"


@pytest.mark.parametrize(
    "given", [{"title": "x", "points": []}, {"title": " ", "points": ["a"]}, {"points": ["a"]}]
)
def test_a_brief_says_something(given):
    with pytest.raises(ValidationError):
        Brief.model_validate(given)


def test_the_samples_are_briefs():
    for sample in content_review.samples.values():
        Brief.model_validate(sample)
