"""The shapes in which Slack tells us things, as far as Bolt and our listeners read them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    InstanceOf,
    StrictInt,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]
"""Of a person, a team, a message: it goes into the database, and back to Slack."""

Text = InstanceOf[str]
"""Any text: what people type may hold halves of characters."""

UNREADABLE = (AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What Bolt raises where it cannot make a request of a body: it takes the ids out of it first."""


def misshapen(body: Mapping[str, Any]) -> str | None:
    """Say in one line, which repeats nothing of it, why Slack cannot have sent this; None where it can."""
    shape = _shape(body)
    if shape is None:
        return _NOTHING
    try:
        shape.model_validate(body)
    except ValidationError as error:
        return _line(error)
    return None


class _Named(BaseModel):
    id: Id


class _Someone(_Named):
    team_id: Id | None = None


class _Interaction(BaseModel):
    """What somebody did. Where a whole organization has the app, only the person may name the team."""

    user: _Someone
    team: _Named | None = None

    @model_validator(mode="after")
    def _in_a_team(self) -> Self:
        if self.team is None and self.user.team_id is None:
            raise ValueError("The payload names no team.")
        return self


class _Words(BaseModel):
    text: Text


class _Choice(BaseModel):
    value: Text
    text: _Words


class _Filled(BaseModel):
    """What stands in one input."""

    value: Text | None = None
    selected_date: Text | None = None
    selected_time: Text | None = None
    selected_date_time: StrictInt | None = None
    selected_option: _Choice | None = None
    selected_options: list[_Choice] | None = None


class _State(BaseModel):
    """What stands in a view's inputs; of a view that has none Slack sends an empty list."""

    values: dict[Text, dict[Text, _Filled]] | Annotated[list[Any], Field(max_length=0)]


class _Block(BaseModel):
    type: Text
    block_id: Text


class _Header(_Block):
    text: _Words


class _Input(_Block):
    label: _Words


def _block_kind(block: Any) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    return kind if kind in ("header", "input") else "block"


_AnyBlock = Annotated[
    Annotated[_Header, Tag("header")] | Annotated[_Input, Tag("input")] | Annotated[_Block, Tag("block")],
    Discriminator(_block_kind),
]


class _Home(_Named):
    type: Literal["home"]


class _Modal(_Named):
    type: Literal["modal"]
    callback_id: Text
    root_view_id: Id
    blocks: list[_AnyBlock]
    state: _State


class _Action(BaseModel):
    action_id: Text
    block_id: Text
    selected_option: dict[Text, Any] | None = None


class _Container(BaseModel):
    channel_id: Id | None = None
    message_ts: Id | None = None


class _Message(BaseModel):
    ts: Id | None = None
    thread_ts: Id | None = None


class _Click(_Interaction):
    actions: Annotated[list[_Action], Field(min_length=1)]
    trigger_id: Id | None = None
    channel: _Named | None = None
    container: _Container | None = None
    message: _Message | None = None
    view: Annotated[_Modal | _Home, Field(discriminator="type")] | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        channel = self.channel or (self.container and self.container.channel_id)
        if not channel and self.view is None:
            raise ValueError("The payload names neither a channel nor a view.")
        return self


class _Submission(_Interaction):
    view: _Modal


class _Closing(_Interaction):
    view: _Named


class _Command(BaseModel):
    command: Text
    user_id: Id
    team_id: Id
    text: Text = ""
    trigger_id: Id | None = None


class _Told(BaseModel):
    type: Text
    subtype: Text | None = None


class _Event(BaseModel):
    event: _Told


class _Opened(BaseModel):
    user: Id
    tab: Text = "home"


class _HomeOpened(BaseModel):
    event: _Opened


class _Challenge(BaseModel):
    challenge: Text


class _Anything(BaseModel):
    pass


def _shape(body: Mapping[str, Any]) -> type[BaseModel] | None:
    match body:
        case {"ssl_check": "1"}:
            return _Anything
        case {"command": _, "type": _}:
            return None
        case {"command": _}:
            return _Command
        case {"type": "event_callback", "event": {"type": "app_home_opened"}}:
            return _HomeOpened
        case {"type": str(kind)}:
            return _KINDS.get(kind)
    return None


_KINDS: Final[Mapping[str, type[BaseModel]]] = {
    "block_actions": _Click,
    "view_submission": _Submission,
    "view_closed": _Closing,
    "event_callback": _Event,
    "url_verification": _Challenge,
    "app_rate_limited": _Anything,
}
"""What Slack sends for what Signoff shows and subscribes to: no shortcuts, dialogs or external menus."""

_NOTHING: Final = "The body holds no event, no interaction and no command that Slack sends to Signoff."


def _line(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    place = first["loc"]
    ours = tuple(takewhile(lambda part: part != "values", place))
    where = ".".join(str(part) for part in ours if part not in _TAGS)
    if first["type"] == "missing" and ours == place:
        return f"The payload lacks {where}."
    return f"The payload's {where} is not what Slack sends there."


_TAGS: Final = frozenset({"modal", "home", "header", "input", "block"})
"""Of the unions: parts of a location that stand in no payload; what comes after `values` is the sender's."""
