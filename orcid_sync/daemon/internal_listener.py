"""The internal side, composed: the listener for operators, their tools and other programs.

Like `serve`, of which it is a part, it hands out clocks.
"""

import asyncio
from contextlib import AbstractAsyncContextManager

from orcid_sync.daemon.public_listener import desired_of, rules_of
from orcid_sync.service.api.application import add_api
from orcid_sync.service.console.health_and_metrics import Console, make_console
from orcid_sync.service.console.routes import add_pages
from orcid_sync.service.http.authentication import Authority
from orcid_sync.service.http.listeners import internal_listener
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.http.orcids import HOME
from orcid_sync.service.rendering.html import Renderer
from orcid_sync.service.rendering.page import Site
from orcid_sync.service.runtime.health import Draining, Heartbeats
from orcid_sync.settings.settings import Settings
from orcid_sync.store.database.pools import Database


def internal_side(
    settings: Settings, database: Database, *, metrics: Metrics, draining: Draining, heartbeats: Heartbeats
) -> AbstractAsyncContextManager[int]:
    """Everything that is reached inside; yields the port."""
    rules = rules_of(settings)
    token = settings.internal_token.get_secret_value() if settings.internal_token else None
    authority = Authority(database.reader, host=settings.internal_host, internal_token=token)
    console = Console(draining=draining, heartbeats=heartbeats, database=database, metrics=metrics, rules=rules)
    site = Site(
        pool=database.reader,
        renderer=Renderer(environment=settings.environment, web_url=settings.web_url),
        authority=authority,
        draining=draining,
        client_id=settings.client_id,
        rules=rules,
        overlap=desired_of(settings).overlap,
        clock=asyncio.get_running_loop().time,
    )
    app = make_console(console, authority)
    if settings.home is not None:
        app[HOME] = settings.home
    add_api(app, database, authority)
    add_pages(app, site)
    return internal_listener(app, host=settings.internal_host, port=settings.internal_port)
