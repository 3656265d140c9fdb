"""Which kind of field edits a property, by its schema and, where that leaves it open, by its value."""

from __future__ import annotations

import re
from typing import Any

from bot.approvals.formats import WORDS, as_moment, is_email, is_uri
from bot.slack.blocks.text import cut, line
from bot.slack.form.choices import MOST, Choice, Choices, options, yes_or_no
from bot.slack.form.kind import NOTHING, Kind
from bot.slack.form.lines import Lines
from bot.slack.form.moments import Clock, Day, Moment
from bot.slack.form.numeric import Bounds, Number, as_decimal
from bot.slack.form.schema import Schema, Schemas, Shape, mapping
from bot.slack.form.text import Text, legible

_WEB = re.compile(r"https?://\S+")
_PLAIN_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)
_NUMERIC = {"number", "integer"}


def kind_of(schemas: Schemas, shape: Shape, now: Any, *, unset: bool) -> Kind | None:
    """Choose the kind, or None for what no one field can show whole. `unset`: no value is on offer too."""
    if shape.about.get("readOnly") is True or _endless(now):
        return None
    if "const" in shape.about and now is not NOTHING:
        return None
    if (offered := _offered(shape)) is not None:
        return _choice(*offered, unset=unset)
    branch = branch_of(shape, now)
    name = branch.get("type", _inferred(branch, now))
    match name:
        case "string":
            return _textual(branch, now)
        case "integer" | "number" | "decimal":
            return Number(whole=name == "integer", bounds=_bounds(branch), textual=name == "decimal")
        case "boolean":
            return yes_or_no(unset=unset)
        case _:
            return _list(schemas, branch, now) if name == "array" else None


def _offered(shape: Shape) -> tuple[list[Any], list[str | None]] | None:
    """List the values and labels of an enum, or of alternatives that each are a constant or an enum."""
    values: list[Any] = []
    labels: list[str | None] = []
    for branch in shape.branches:
        if "const" in branch:
            told, title = [branch["const"]], branch.get("title")
        elif isinstance(branch.get("enum"), list):
            told, title = branch["enum"], None
        else:
            return None
        alone = isinstance(title, str) and title != shape.about.get("title")
        values += told
        labels += [title if alone else None for _ in told]
    return (values, labels) if values else None


def _choice(values: list[Any], labels: list[str | None], *, unset: bool) -> Kind | None:
    if any(isinstance(value, dict | list) for value in values):
        return None
    if len(values) == 1 and isinstance(values[0], bool):
        return yes_or_no(values, unset=unset)
    if len(values) <= MOST:
        return Choice(options(values, labels), unset=unset)
    if all(isinstance(value, str) and legible(value) for value in values):
        return Text(notes=(_one_of(values),))
    return None


def _one_of(values: list[str]) -> str:
    return f"One of {cut(', '.join(map(line, values)), 300)}."


def _list(schemas: Schemas, branch: Schema, now: Any) -> Kind | None:
    if "prefixItems" in branch or isinstance(branch.get("items"), list):
        return None
    return _choices(branch, now) or _lines(schemas, branch, now)


def _lines(schemas: Schemas, branch: Schema, now: Any) -> Kind | None:
    """Offer a list of texts or numbers as lines; what an empty untyped list holds, nobody knows."""
    held = now if isinstance(now, list) else []
    sample = next((one for one in held if isinstance(one, float)), held[0] if held else NOTHING)
    if not branch.get("items") and sample is NOTHING:
        return None
    item = _line(schemas, schemas.shape(branch.get("items", {})), sample)
    if item is None:
        return None
    least, most = _count(branch.get("minItems")) or 0, _count(branch.get("maxItems"))
    kind = Lines(item, least, most, unique=branch.get("uniqueItems") is True)
    return kind if kind.holds(now) or not isinstance(now, list) else None


def _line(schemas: Schemas, shape: Shape, sample: Any) -> Kind | None:
    """Choose how one line is read: options and moments are typed, and the schema checks them."""
    match kind_of(schemas, shape, sample, unset=False):
        case Text() | Number() as kind:
            return kind
        case Day() | Clock() | Moment():
            return Text(notes=(WORDS[branch_of(shape, sample)["format"]],))
        case Choice(offered) if all(isinstance(one.value, str) for one in offered):
            return Text(notes=(_one_of([one.value for one in offered]),))
        case _:
            return None


def _choices(branch: Schema, now: Any) -> Kind | None:
    """Offer a list of different enum values as a multi-select."""
    items = branch.get("items")
    values = mapping(items).get("enum")
    if not isinstance(values, list) or not 0 < len(values) <= MOST:
        return None
    if any(isinstance(value, dict | list) or value is None for value in values):
        return None
    least, most = _count(branch.get("minItems")) or 0, _count(branch.get("maxItems"))
    kind = Choices(options(values), least=least, most=most)
    return kind if kind.holds(now) or not isinstance(now, list) else None


def branch_of(shape: Shape, now: Any) -> Schema:
    """Pick the alternative that the value belongs to; where it does not tell, none."""
    if len(shape.branches) == 1:
        return shape.branches[0]
    types = {str(branch.get("type")) for branch in shape.branches}
    if types == {"number", "string"} and (now is NOTHING or as_decimal(now) is not None):
        return {**_typed(shape, "number"), "type": "decimal"}
    if types == _NUMERIC:
        return _typed(shape, "number")
    return _typed(shape, _type_of(now))


def _typed(shape: Shape, name: str) -> Schema:
    return next((branch for branch in shape.branches if branch.get("type") == name), {"type": "unknown"})


def _inferred(branch: Schema, now: Any) -> str:
    """Guess an untyped property from its value, or from keywords that only text has."""
    if now is not NOTHING:
        return _type_of(now)
    textual = branch.keys() & {"format", "minLength", "maxLength", "pattern"}
    return "string" if textual or not branch else "unknown"


def _type_of(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "unknown"


def _textual(branch: Schema, now: Any) -> Kind | None:
    if isinstance(now, str) and not legible(now):
        return None
    form = branch.get("format")
    kind = _picker(form, now)
    if kind is not None and (not isinstance(now, str) or kind.holds(now)):
        return kind
    return _text(branch, form if isinstance(form, str) else "", now)


def _picker(form: Any, now: Any) -> Kind | None:
    match form:
        case "date":
            return Day()
        case "time":
            return Clock()
        case "date-time":
            moment = as_moment(now)
            return Moment(naive=moment is not None and moment.tzinfo is None)
        case _:
            return None


def _text(branch: Schema, form: str, now: Any) -> Text:
    """Use Slack's own email and web fields only for what they are sure to accept."""
    pattern = branch.get("pattern")
    notes = [WORDS[form]] if form in WORDS else []
    if form == "password":
        notes.append("Kept off the card.")
    if isinstance(pattern, str) and len(pattern) <= 100:
        notes.append(f"Pattern: {line(pattern)}")
    text = Text(most=_count(branch.get("maxLength")), notes=tuple(notes))
    fitting = now is NOTHING or isinstance(now, str)
    if form == "email" and fitting and (now is NOTHING or (is_email(now) and _PLAIN_EMAIL.fullmatch(now))):
        return Text(text.most, text.notes, "email_text_input")
    if form == "uri" and fitting and (now is NOTHING or (is_uri(now) and _WEB.fullmatch(now))):
        return Text(text.most, text.notes, "url_text_input")
    return text


def _endless(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and as_decimal(value) is None


def _bounds(branch: Schema) -> Bounds:
    low, high = _number(branch, "minimum"), _number(branch, "maximum")
    over, under = _number(branch, "exclusiveMinimum"), _number(branch, "exclusiveMaximum")
    low_strict = over is not None and (low is None or over >= low)
    high_strict = under is not None and (high is None or under <= high)
    low, high = over if low_strict else low, under if high_strict else high
    return Bounds(low, high, low_strict, high_strict, _number(branch, "multipleOf"))


def _number(branch: Schema, keyword: str) -> Any:
    bound = branch.get(keyword)
    return None if isinstance(bound, str) else as_decimal(bound)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
