"""`workflows`: the catalog, with what each workflow takes, and what could not be loaded."""

from __future__ import annotations

from typing import Any

from bot import logs
from bot.commands.printing import say, say_json, shown
from bot.engine.catalog import Catalog, Entry, load
from bot.house import bare_graph
from bot.settings import Settings


def workflows(*, as_json: bool) -> None:
    settings = Settings()
    logs.set_up(settings.log_format)
    catalog = load(settings.workflows, bare_graph(settings))
    if as_json:
        say_json({"workflows": [_described(e) for e in _sorted(catalog)], "problems": catalog.problems})
        return
    for entry in _sorted(catalog):
        _tell(entry)
    for source, why in catalog.problems.items():
        say(f"{source} cannot run: {shown(why)}")


def _sorted(catalog: Catalog) -> list[Entry]:
    return [catalog.entries[name] for name in sorted(catalog.entries)]


def _schema(entry: Entry) -> dict[str, Any] | None:
    model = entry.workflow.input
    return model.model_json_schema() if model else None


def _described(entry: Entry) -> dict[str, Any]:
    workflow = entry.workflow
    return {
        "name": workflow.name,
        "description": workflow.description,
        "channel": workflow.channel,
        "policy": workflow.policy.model_dump(mode="json"),
        "sla": workflow.sla.model_dump(mode="json"),
        "input": _schema(entry),
    }


def _tell(entry: Entry) -> None:
    workflow, schema = entry.workflow, _schema(entry)
    say(f"{workflow.name}: {workflow.description or 'no description'}")
    deciders = ", ".join(workflow.policy.approvers) or "nobody"
    say(f"  cards go to {workflow.channel or 'no channel'}, for {deciders}")
    if schema is None:
        say("  takes any JSON object")
        return
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        need = "" if name in required else ", optional"
        say(f"  {name}: {_type(field)}{need}")


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if options := field.get("anyOf"):
        return " or ".join(_type(option) for option in options)
    return str(field.get("format") or field.get("type") or "anything")
