"""The composition root: builds every part from the settings, and knows them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
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
from bot.patience import USUAL, Patience
from bot.postgres.jobs import Queue
from bot.postgres.pools import Pool, listeners_pool, queue_pool, runs_pool
from bot.settings import Settings
from bot.slack.app import bolt_app, web_client, web_session
from bot.slack.delivery.draw import Delivery
from bot.slack.delivery.showing import Showing
from bot.slack.listeners.command import Intake
from bot.slack.listeners.desk import Desk
from bot.slack.listeners.window import Window
from bot.slack.messages.render import render
from bot.slack.views.command import Startable
from bot.slack.workspace.badge import Badge
from bot.slack.workspace.directory import Directory


class NotSetUp(SignoffError):
    """A setting is missing that this role cannot do without."""


@dataclass(frozen=True)
class House:
    """The parts, open and connected. What a role does not use costs a pool's one idle connection."""

    settings: Settings
    catalog: Catalog
    badge: Badge
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


@dataclass(frozen=True)
class _Pools:
    """A pool for each kind of work, and the queue on one of them."""

    work: Pool
    runs: Pool
    listening: Pool
    queue: Queue


@asynccontextmanager
async def opened(
    settings: Settings,
    dsn: str,
    extra: Sequence[str] = (),
    *,
    pooled: bool = False,
    patience: Patience = USUAL,
) -> AsyncIterator[House]:
    """Open the pools, learn who we are in Slack or remember it, build the rest.

    Where `pooled`, the DSN leads to a transaction pooler: no graph can run in this house. Raises
    `SignoffError` in one line where a setting is missing, Slack refuses the token, or the database is
    another workspace's. Where Slack is away, `badge` is not proven yet, and nothing is drawn before it is.
    """
    if settings.slack_bot_token is None:
        raise NotSetUp(
            "SLACK_BOT_TOKEN is not set; `signoff doctor` says what is missing. "
            "`signoff demo` needs no token."
        )
    async with _pools(settings, dsn, patience, pooled=pooled) as pools, web_session() as session:
        token, url = settings.slack_bot_token.get_secret_value(), settings.slack_api_url
        badge = Badge(web_client(token, url, session=session), pools.work)
        await badge.show()
        client = web_client(token, url, session=session, badge=badge)
        directory = Directory(client, pools.work)
        await directory.begin()
        house = _house(settings, extra, pools, badge, client, directory, patience)
        try:
            yield house
        finally:
            await house.desk.showing.end()


@asynccontextmanager
async def _pools(settings: Settings, dsn: str, patience: Patience, *, pooled: bool) -> AsyncIterator[_Pools]:
    async with (
        queue_pool(dsn, max_size=settings.concurrency + 4, pooled=pooled) as work,
        runs_pool(dsn, max_size=settings.concurrency) as runs,
        listeners_pool(dsn, pooled=pooled, patience=patience) as listening,
    ):
        queue = Queue(work)
        await queue.open()
        yield _Pools(work, runs, listening, queue)


def _house(
    settings: Settings,
    extra: Sequence[str],
    pools: _Pools,
    badge: Badge,
    client: AsyncWebClient,
    directory: Directory,
    patience: Patience,
) -> House:
    catalog, queue = load((*settings.workflows, *extra), bare_graph(settings)), pools.queue
    delivery = Delivery(client, pools.work, queue, directory, render, settings.ops_channel)
    engine = Engine(catalog, pools.runs, queue, delivery.draw)
    desk = Desk(
        Window(client, patience),
        pools.listening,
        queue,
        Directory(client, pools.listening, patience),
        Showing(delivery.draw),
        settings.grace,
        patience,
    )
    secret = settings.slack_signing_secret
    return House(
        settings=settings,
        catalog=catalog,
        badge=badge,
        client=client,
        queue=queue,
        work=pools.work,
        listening=pools.listening,
        directory=directory,
        engine=engine,
        delivery=delivery,
        worker=Worker(queue, engine.advance, delivery.draw),
        desk=desk,
        bolt=bolt_app(
            desk,
            _intake(catalog, queue, pools.listening),
            badge,
            secret.get_secret_value() if secret else None,
        ),
    )


def _intake(catalog: Catalog, queue: Queue, pool: Pool) -> Intake:
    """Let people start threads from Slack: they are the starter and the requester."""

    async def start_for(
        workflow: str, given: dict[str, Any], user: str, key: str | None, autonomy: str
    ) -> str:
        begun = begin(
            catalog,
            workflow,
            given,
            starter=f"slack:{user}",
            requester=user,
            idempotency_key=key,
            autonomy=autonomy,
        )
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
    return BareGraph(settings.default_channel, settings.default_approvers, settings.default_reply)
