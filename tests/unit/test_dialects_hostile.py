"""Whatever a graph sends, reading and answering it ends in an answer or in one line that says why not."""

from __future__ import annotations

from deciding import answer, decided, timed_out
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.approvals.canonical import canonical
from bot.approvals.dialects import End, read
from bot.approvals.errors import BadAnswer, BadRequest

WORDS = (
    *("action_requests", "review_configs", "name", "args", "description", "action_name", "allowed_decisions"),
    *("approve", "edit", "reject", "respond", "type", "tool_approval", "action_request", "config", "action"),
    *(
        "allow_accept",
        "allow_ignore",
        "oneOf",
        "anyOf",
        "const",
        "enum",
        "properties",
        "edited_action",
        "$ref",
    ),
    *("#/$defs/a", "$defs", "a", "required", "default", "object", "string", "boolean", "integer"),
)

WORD = st.sampled_from(WORDS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | WORD | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=4),
    max_leaves=15,
)
SCHEMA = st.none() | st.dictionaries(WORD, JSON, max_size=4)
CALL = st.fixed_dictionaries({}, optional={"name": JSON, "args": JSON, "description": JSON})
REVIEW = st.fixed_dictionaries({}, optional={"action_name": JSON, "allowed_decisions": JSON})
SHAPED = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {
            "action_requests": JSON | st.lists(CALL, max_size=3),
            "review_configs": JSON | st.lists(REVIEW, max_size=3),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("tool_approval"), "name": WORD, "args": JSON, "description": JSON}
    ),
    st.fixed_dictionaries({"action_request": JSON, "config": JSON}),
)


def told_or_refused(act):
    """Return what it does, or None where it says in one line why not."""
    refused = None
    try:
        return act()
    except (BadRequest, BadAnswer) as reason:
        refused = str(reason)
    assert refused
    assert "\n" not in refused
    return None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHAPED, SCHEMA, JSON)
def test_nothing_escapes_as_anything_but_a_reason(value, schema, filled):
    asked = told_or_refused(lambda: read(value, schema))
    if asked is None:
        return
    canonical(asked.request.payload())
    people = [
        decided(asked, verdict, text="words", choice="a")
        for verdict in ("approve", "reject", "respond", "choose")
    ]
    for decision in [
        *people,
        decided(asked, "approve", proposal=filled),
        timed_out(asked),
        timed_out(asked, "approve"),
    ]:
        said = told_or_refused(lambda decision=decision: answer(asked, decision))
        assert said is None or isinstance(said, End) or canonical(said.value)
