"""Questions over several data sources: an ambiguous one becomes a question back, then it is answered."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict, Field

from bot.approvals import ApprovalRequest, Decision, Fallback, Option, Policy, Sla, Workflow, ask, effect_key
from workflows import effects
from workflows.datasource_questions.data import REGIONS, folder
from workflows.datasource_questions.intent import Intent, chosen, narrowed, understood
from workflows.datasource_questions.metrics import METRICS, Scope
from workflows.wording import deciders, refusal, sentence


def _today() -> date:
    return datetime.now(UTC).date()


class Question(BaseModel):
    """What starts the workflow. `as_of` is the day from which "last month" counts; left out, today."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    question: str = Field(min_length=3, max_length=500)
    as_of: date = Field(default_factory=_today)


class State(TypedDict, total=False):
    """The question as it was started, then what the nodes made of it; all plain JSON."""

    question: str
    as_of: str
    intent: dict[str, Any]
    conversation: list[dict[str, str]]
    settled: list[str]
    told: str | None
    decision: dict[str, Any]
    answer: str
    result: Literal["answered", "not understood", "given up", "expired"]
    outcome: str


def understand(state: State) -> dict[str, Any]:
    """Find every reading of the question."""
    given = _given(state)
    intent = understood(given.question, given.as_of)
    return {"intent": intent.model_dump(mode="json"), "conversation": [_turn("asker", given.question)]}


def clarify(state: State) -> Command[Literal["asker", "answer", "give_up"]]:
    """Prepare the question back about what is still unclear, one thing at a time."""
    intent = _intent(state)
    if not intent.metrics:
        return Command(goto="give_up")
    if intent.unclear is None:
        return Command(goto="answer")
    back = (
        f"Which do you mean by “{state['question']}”: {', or '.join(one.label for one in _options(intent))}?"
    )
    return Command(goto="asker", update={"conversation": [*state["conversation"], _turn("signoff", back)]})


def asker(state: State) -> dict[str, Any]:
    """Ask; everything that the request says was worked out before."""
    return {"decision": ask(_request(state)).answer()}


def take_answer(state: State) -> Command[Literal["clarify", "give_up"]]:
    """Go on with the conversation: the answer narrows the readings of the question that was asked."""
    decision, intent = Decision.model_validate(state["decision"]), _intent(state)
    match decision.verdict:
        case "choose":
            label = next(one.label for one in _options(intent) if one.id == decision.choice)
            return _went_on(state, chosen(intent, decision.choice or ""), label, deciders(decision))
        case "respond":
            words = (decision.text or "").strip()
            left = narrowed(intent, words, _given(state).as_of)
            told = None if left else f"“{words[:200]}” does not say which one; please choose."
            return _went_on(state, left or intent, words, deciders(decision), told)
        case _:
            return Command(goto="give_up")


def answer(state: State) -> dict[str, Any]:
    """Work the answer out from the data, and give it once; it says what was asked and what was meant."""
    intent, given = _intent(state), _given(state)
    metric, (period,) = METRICS[intent.metrics[0]], intent.periods
    regions = REGIONS if intent.by_region else (intent.region,)
    data = folder()
    figures = {one: metric.figure(data, Scope(period.first, period.last, one)) for one in regions}
    told = "; ".join(f"{f'{one}: ' if one else ''}{figure.text}" for one, figure in figures.items())
    text = f"{metric.label}, {period.label}: {told} ({metric.description.partition(':')[0].lower()})."
    lines = sum(figure.lines for figure in figures.values())
    said = {"question": given.question, "answer": text, "lines": lines, "understood_by": intent.understood_by}
    effects.record(effect_key("answer"), "answer", said)
    return {
        "answer": text,
        "conversation": [*state["conversation"], _turn("signoff", text)],
        "result": "answered",
        "outcome": f"“{given.question}” {text}",
    }


def give_up(state: State) -> dict[str, Any]:
    """Say why there is no answer."""
    asked = f"“{state['question']}”"
    if not _intent(state).metrics:
        known = ", ".join(dict.fromkeys(metric.topic for metric in METRICS.values()))
        return {"result": "not understood", "outcome": f"{asked} The data only covers: {known}."}
    decision = Decision.model_validate(state["decision"])
    expired = decision.by.kind == "timeout"
    told = sentence(f"{asked} Not answered: what was meant stayed open, {refusal(decision)}")
    return {"result": "expired" if expired else "given up", "outcome": told}


def _request(state: State) -> ApprovalRequest:
    intent = _intent(state)
    what = "figure" if intent.unclear == "metric" else "time"
    paragraphs = [state.get("told"), f"The question: “{state['question']}”", _so_far(state)]
    return ApprovalRequest(
        title=f"Which {what} is meant: “{state['question']}”",
        summary="\n\n".join(part for part in paragraphs if part),
        options=_options(intent),
        allow=("respond",),
    )


def _so_far(state: State) -> str | None:
    """Tell what was settled before, so that the second question does not read as the first."""
    return f"So far: {'; '.join(settled)}." if (settled := state.get("settled")) else None


def _options(intent: Intent) -> tuple[Option, ...]:
    if intent.unclear == "metric":
        found = (METRICS[name] for name in intent.metrics)
        return tuple(Option(id=one.id, label=one.label, description=one.description) for one in found)
    return tuple(
        Option(id=one.id, label=one.label, description=f"{one.first} to {one.last}") for one in intent.periods
    )


def _went_on(
    state: State, intent: Intent, words: str, who: str, told: str | None = None
) -> Command[Literal["clarify", "give_up"]]:
    turns = [*state["conversation"], _turn(who, words)]
    settled = [*state.get("settled", []), *([] if told else [words])]
    update = {
        "intent": intent.model_dump(mode="json"),
        "conversation": turns,
        "settled": settled,
        "told": told,
    }
    return Command(goto="clarify", update=update)


def _turn(who: str, text: str) -> dict[str, str]:
    return {"who": who, "text": text}


def _given(state: State) -> Question:
    return Question.model_validate({k: v for k, v in state.items() if k in Question.model_fields})


def _intent(state: State) -> Intent:
    return Intent.model_validate(state["intent"])


builder = StateGraph(State)
for node in (understand, clarify, asker, take_answer, answer, give_up):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "understand")
builder.add_edge("understand", "clarify")
builder.add_edge("asker", "take_answer")
builder.add_edge("answer", END)
builder.add_edge("give_up", END)

workflow = Workflow(
    name="datasource_question",
    description="Answers a question from several data sources, and asks back where it is ambiguous.",
    graph=builder,
    input=Question,
    channel="#general",
    # Whoever asked knows best what was meant, so the requester may answer.
    policy=Policy(approvers=("U05ROSA", "@finance-managers"), self_approval=True),
    sla=Sla(
        respond_within=timedelta(hours=8),
        remind_after=(timedelta(hours=1),),
        fallback=Fallback.reject(),
    ),
)

samples: dict[str, dict[str, Any]] = {
    "revenue": {"question": "What was our revenue last quarter in the north?"},
    "tickets": {"question": "How many tickets per 100 orders did we have last month by region?"},
    "customers": {"question": "How many customers do we have?"},
}
