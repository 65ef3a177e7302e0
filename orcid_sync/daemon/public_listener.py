"""The public side, composed: the listener that the internet reaches, ORCID's notifications, the pages for people.

Like `serve`, of which it is a part, it hands out clocks and chance.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg

from orcid_sync.model.consent.invitation import Outcome
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.webhooks.dead_webhooks import Sender
from orcid_sync.model.webhooks.health import Rules
from orcid_sync.registry.callbacks import Callbacks
from orcid_sync.registry.client import Registry
from orcid_sync.service.consent.html_pages import Facts, Pages
from orcid_sync.service.consent.page_context import PageContext
from orcid_sync.service.consent.routes import page_routes
from orcid_sync.service.consent.signed_links import LinkSigner
from orcid_sync.service.consent.token_exchange import TokenExchange
from orcid_sync.service.http.browser_requests import Cookies
from orcid_sync.service.http.listeners import public_listener
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.runtime.health import Draining
from orcid_sync.service.runtime.wakeup import WakeUp
from orcid_sync.service.webhooks.called_addresses import CalledAddresses
from orcid_sync.service.webhooks.group_commit import GroupCommit
from orcid_sync.service.webhooks.heartbeat import present
from orcid_sync.service.webhooks.intake import Intake, Route
from orcid_sync.service.webhooks.registration import Desired
from orcid_sync.settings.settings import Settings
from orcid_sync.store.consent import connections
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database
from orcid_sync.store.sync import queue

Mark = Callable[[Orcid], Awaitable[bool]]


@asynccontextmanager
async def public_side(
    settings: Settings,
    database: Database,
    registry: AbstractAsyncContextManager[Registry],
    *,
    metrics: Metrics,
    draining: Draining,
    wake: Callable[[], None],
) -> AsyncIterator[int]:
    """What the settings offer to the internet; yields the port. `registry` is opened if the pages need it."""
    async with AsyncExitStack() as stack:
        mark = None
        if settings.webhooks:
            mark = await stack.enter_async_context(_marking(settings, database, metrics, wake))
        pages = {}
        if settings.institution:
            pages = _pages(settings, database, metrics, await stack.enter_async_context(registry))
        callers = CalledAddresses(database.intake)
        stack.push_async_callback(callers.aclose)
        intake = Intake(
            mark,
            callbacks=callbacks_of(settings),
            note=callers.note,
            metrics=metrics,
            draining=draining,
            pages=pages,
        )
        listener = public_listener(
            intake, host=settings.public_host, port=settings.public_port, on_error=intake.count_error
        )
        yield await stack.enter_async_context(listener)


@asynccontextmanager
async def _marking(
    settings: Settings, database: Database, metrics: Metrics, wake: Callable[[], None]
) -> AsyncIterator[Mark]:
    """What commits the notifications."""
    grace = timedelta(seconds=settings.grace_seconds)

    async def mark(connection: asyncpg.Connection, orcids: list[Orcid]) -> list[Orcid]:
        known = await queue.mark_due(connection, orcids, lane=Lane.NOTIFICATION, delay=grace)
        if orphans := set(orcids).difference(known):
            await connections.take_over_unknown_webhooks(connection, orphans)
        return known

    waking = WakeUp(wake, database.intake, grace=settings.grace_seconds)
    commits = GroupCommit(database.connect_intake, mark, metrics=metrics, wake=waking)

    async def mark_one(orcid: Orcid) -> bool:
        known = await commits.mark(orcid)
        count()
        return known

    async with present(database.intake, process=secrets.token_hex(8)) as count:
        try:
            yield mark_one
        finally:
            await commits.aclose()
            await waking.aclose()


def _pages(settings: Settings, database: Database, metrics: Metrics, registry: Registry) -> dict[str, Route]:
    """The connect pages. They use the readers' connections: neither notifications nor workers wait for people."""
    vault, now = Vault(settings.key_ring), partial(datetime.now, UTC)
    public_url = settings.public_url or ""
    context = PageContext(
        pool=database.reader,
        client_id=settings.client_id or "",
        web_url=settings.web_url,
        public_url=public_url,
        pages=Pages(facts_of(settings), public_url=public_url),
        cookies=Cookies(secure=public_url.startswith("https://")),
        tickets=LinkSigner(vault.derive, settings.environment),
        now=now,
        new_secret=partial(secrets.token_urlsafe, 32),
    )

    def count(outcome: Outcome) -> None:
        metrics.consents.labels(outcome).inc()

    return page_routes(context, TokenExchange(database.reader, registry, vault, now=now), count)


def facts_of(settings: Settings) -> Facts:
    """Who asks, as the pages say it."""
    return Facts(
        institution=settings.institution or "",
        institution_url=settings.institution_url or "",
        purpose=settings.purpose or "",
        privacy_url=settings.privacy_url or "",
        contact=settings.contact or "",
        web_url=settings.web_url,
    )


def callbacks_of(settings: Settings) -> Callbacks:
    """The addresses at which ORCID calls, under the present secret and earlier ones."""
    given = dict(settings.old_webhook_secrets or {})
    if settings.webhook_secret:
        given[settings.webhook_key_version] = settings.webhook_secret
    secrets = {version: secret.get_secret_value().encode() for version, secret in given.items()}
    return Callbacks(settings.environment, secrets)


def rules_of(settings: Settings) -> Rules:
    """By what it is judged whether we still hear of changes."""
    return Rules(
        sender=Sender(settings.sender_tries, timedelta(minutes=settings.sender_delay_minutes)),
        grace=timedelta(hours=settings.delivery_grace_hours),
        canary=Orcid(settings.canary_orcid) if settings.canary_orcid else None,
        canary_within=timedelta(hours=settings.canary_hours),
    )


def desired_of(settings: Settings) -> Desired:
    """Which webhooks there should be."""
    return Desired(
        callbacks=callbacks_of(settings),
        public_url=settings.public_url or "",
        key_version=settings.webhook_key_version if settings.webhooks else None,
        overlap=timedelta(seconds=settings.second_look_seconds),
    )
