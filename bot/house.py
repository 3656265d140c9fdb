"""The composition root: builds every part from the settings, and knows them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.approvals.errors import SignoffError
from bot.engine.advance import Engine
from bot.engine.catalog import BareGraph, Catalog, load
from bot.engine.worker import Worker
from bot.facts.threads import start
from bot.intake import begin
from bot.postgres.jobs import Queue
from bot.postgres.pools import Pool, listeners_pool, queue_pool, runs_pool
from bot.settings import Settings
from bot.slack.app import Identity, bind_team, bolt_app, identify, web_client, web_session
from bot.slack.directory import Directory
from bot.slack.draw import Delivery
from bot.slack.inbox import Startable
from bot.slack.listeners.desk import Desk
from bot.slack.listeners.home import Intake
from bot.slack.render import render


class NotSetUp(SignoffError):
    """A setting is missing that this role cannot do without."""


@dataclass(frozen=True)
class House:
    """The parts, open and connected. What a role does not use costs a pool's one idle connection."""

    settings: Settings
    catalog: Catalog
    identity: Identity
    client: AsyncWebClient
    queue: Queue
    work: Pool
    listening: Pool
    directory: Directory
    engine: Engine
    delivery: Delivery
    worker: Worker
    desk: Desk
    bolt: AsyncApp


@asynccontextmanager
async def opened(settings: Settings, dsn: str, extra: Sequence[str] = ()) -> AsyncIterator[House]:
    """Open the pools, learn who we are in Slack, bind the database to that workspace, build the rest.

    Raises `SignoffError` in one line where a setting is missing or the database is another workspace's.
    """
    if settings.slack_bot_token is None:
        raise NotSetUp(
            "SLACK_BOT_TOKEN is not set; `signoff doctor` says what is missing, `signoff demo` needs none."
        )
    token = settings.slack_bot_token.get_secret_value()
    async with AsyncExitStack() as stack:
        work = await stack.enter_async_context(queue_pool(dsn, max_size=settings.concurrency + 4))
        runs = await stack.enter_async_context(runs_pool(dsn, max_size=settings.concurrency))
        listening = await stack.enter_async_context(listeners_pool(dsn))
        queue = Queue(work)
        await queue.open()
        session = await stack.enter_async_context(web_session())
        client = web_client(token, settings.slack_api_url, session=session)
        identity = await identify(client)
        async with work.connection() as conn:
            await bind_team(conn, identity)
        catalog = load((*settings.workflows, *extra), bare_graph(settings))
        directory = Directory(client, work)
        await directory.begin()
        delivery = Delivery(client, work, queue, directory, render, settings.ops_channel)
        engine = Engine(catalog, runs, queue, delivery.draw)
        desk = Desk(client, listening, queue, Directory(client, listening), settings.grace)
        secret = settings.slack_signing_secret
        yield House(
            settings=settings,
            catalog=catalog,
            identity=identity,
            client=client,
            queue=queue,
            work=work,
            listening=listening,
            directory=directory,
            engine=engine,
            delivery=delivery,
            worker=Worker(queue, engine.advance, delivery.draw),
            desk=desk,
            bolt=bolt_app(
                desk,
                _intake(catalog, queue, listening),
                identity,
                secret.get_secret_value() if secret else None,
            ),
        )


def _intake(catalog: Catalog, queue: Queue, pool: Pool) -> Intake:
    """Let people start threads from Slack: they are the starter and the requester."""

    async def start_for(workflow: str, given: dict[str, Any], user: str, key: str | None) -> str:
        starter = f"slack:{user}"
        begun = begin(catalog, workflow, given, starter=starter, requester=user, idempotency_key=key)
        async with pool.connection() as conn:
            return await start(conn, queue, begun)

    def offers() -> list[Startable]:
        return [
            Startable(entry.workflow.name, entry.workflow.description, _fields(entry.workflow.input))
            for entry in catalog.entries.values()
        ]

    return Intake(offers, start_for)


def _fields(model: type[BaseModel] | None) -> tuple[str, ...]:
    fields = model.model_fields if model else {}
    return tuple(sorted(fields, key=lambda name: not fields[name].is_required()))


def bare_graph(settings: Settings) -> BareGraph:
    return BareGraph(settings.default_channel, settings.default_approvers, settings.default_reply)  # type: ignore[arg-type]
