"""The Registry as the rest of the software sees it: questions in, answers or errors out.

`protocol` knows what ORCID says, `http_exchange` moves bytes, this module decides who may ask when: every sending takes
a slot of the shared pace, carries the right token and reports how the Registry is doing. tenacity repeats a sending
once for what the contract calls retryable (section 4.3); whatever lasts longer is the queue's business. When so much
fails that the Registry may be away, one fixed question is asked that concerns no record, and its answer decides.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.registry_health import Sign
from orcid_sync.registry.answers import Grant, HolderGrant
from orcid_sync.registry.client_tokens import ClientTokens, TokenStore
from orcid_sync.registry.errors import (
    NO_SUCH_WEBHOOK,
    Busy,
    NotFound,
    Paused,
    RegistryError,
    Unauthorized,
    Unavailable,
    UsedUp,
)
from orcid_sync.registry.http_exchange import Limits, exchange, open_session
from orcid_sync.registry.lanes import present_lane
from orcid_sync.registry.pace import NOBODY, Pace, may_pass, sign_of, subject
from orcid_sync.registry.protocol import decipher
from orcid_sync.registry.requests import (
    READ_PUBLIC,
    Endpoint,
    Request,
    bearer,
    code_request,
    item_request,
    record_request,
    register_request,
    revoke_request,
    token_request,
    unregister_request,
    works_request,
)

T = TypeVar("T")

Observe = Callable[[str, str, float], None]
"""Told of every sending: endpoint, HTTP status or kind of error, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the Registry is and who we are there."""

    api_url: str
    """https://api.orcid.org or its sandbox, without a slash at the end."""
    web_url: str
    """https://orcid.org or its sandbox, without a slash at the end: tokens are given out there."""
    client_id: str
    client_secret: str = field(repr=False)


@asynccontextmanager
async def open_registry(
    account: Account, *, pace: Pace, tokens: TokenStore, observe: Observe, limits: Limits | None = None
) -> AsyncIterator["Registry"]:
    """A Registry with a session of its own, which is closed at the end."""
    limits = limits or Limits()
    async with open_session(limits) as session:
        yield Registry(session, account, pace=pace, tokens=tokens, observe=observe, limits=limits)


class Registry:
    """ORCID's Registry.

    A `token` is a user's; None means our own token, which sees public data and our own items. All questions raise
    RegistryError as `errors` describes. Raised by a user's token, Unauthorized is never final (contract section 2.6);
    with our own token it becomes Unavailable after one new token was tried.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        account: Account,
        *,
        pace: Pace,
        tokens: TokenStore,
        observe: Observe,
        limits: Limits,
    ) -> None:
        self._session = session
        self._account = account
        self._pace = pace
        self._observe = observe
        self._limits = limits
        self._tokens = ClientTokens(tokens, self._fetch_token)
        # One count for each kind of answer: who holds a large record while reading its works cannot block others that
        # do the same.
        self._large = {endpoint: asyncio.Semaphore(limits.large_answers) for endpoint in Endpoint}

    @property
    def client_id(self) -> str:
        """Who we are at the Registry: the source of our own items."""
        return self._account.client_id

    @asynccontextmanager
    async def record(self, orcid: Orcid, token: str | None = None) -> AsyncIterator[bytes]:
        """The record's JSON. A large one holds a permit until the context ends, or for some seconds: drop the body."""
        async with AsyncExitStack() as held:
            body = await self._ask(record_request(self._account.api_url, orcid), token, held)
            lapse = asyncio.create_task(self._lapse(held)) if len(body) > self._limits.large_bytes else None
            try:
                yield body
            finally:
                if lapse is not None:
                    lapse.cancel()

    async def _lapse(self, held: AsyncExitStack) -> None:
        await asyncio.sleep(self._limits.large_seconds)
        await held.aclose()

    @asynccontextmanager
    async def works(
        self, orcid: Orcid, put_codes: Collection[int], token: str | None = None
    ) -> AsyncIterator[dict[int, bytes]]:
        """At most 100 full works as undecoded JSON by put-code; what is missing is unknown, not gone.

        A large page holds a permit until the context ends: drop it before leaving.
        """
        async with AsyncExitStack() as held:
            yield await self._ask(works_request(self._account.api_url, orcid, put_codes), token, held)

    async def fetch_item(self, orcid: Orcid, section: str, put_code: int, token: str | None = None) -> bytes:
        """One full item as undecoded JSON. Raises NotFound, or Forbidden if it is not for this token (section 4.2)."""
        return await self._ask_small(item_request(self._account.api_url, orcid, section, put_code), token)

    async def register_webhook(self, orcid: Orcid, callback: str) -> bool:
        """Register our address; False if it was registered already, which revives nothing (contract section 1.3)."""
        return await self._ask_small(register_request(self._account.api_url, orcid, callback))

    async def unregister_webhook(self, orcid: Orcid, callback: str) -> None:
        """See that our address is not registered (contract section 1.4). Raises NotFound if the iD is unknown."""
        try:
            await self._ask_small(unregister_request(self._account.api_url, orcid, callback))
        except NotFound as error:
            if error.error_code != NO_SUCH_WEBHOOK:
                raise

    async def exchange_code(self, code: str, redirect_uri: str) -> HolderGrant:
        """What a holder allowed us, for the code that their browser brought. Sent once, whatever happens.

        A code that arrives twice costs the holder the token that it gave (contract section 2.4, fault F70). Raises
        CodeRefused if it is not taken; after any other RegistryError it may have been used: ask the person again.
        """
        account = self._account
        request = code_request(
            account.web_url,
            client_id=account.client_id,
            client_secret=account.client_secret,
            code=code,
            redirect_uri=redirect_uri,
        )
        async with AsyncExitStack() as held:
            return await self._try(request, None, held)

    async def revoke_token(self, token: str) -> None:
        """See that a holder's token works no longer; one that ORCID does not know is done (contract section 2.6)."""
        account = self._account
        request = revoke_request(
            account.web_url, client_id=account.client_id, client_secret=account.client_secret, token=token
        )
        with suppress(NotFound):
            async with AsyncExitStack() as held:
                await self._repeat(request, None, held)

    async def ask(self, request: Callable[[str], Request[T]]) -> T:
        """Anything else, asked with our own token; `request` takes the API's address."""
        return await self._ask_small(request(self._account.api_url))

    async def authorize(self, scope: str) -> None:
        """See that there is a token of our own for the scope: the stored one, else a new one (contract section 2.3)."""
        await self._tokens.get(scope)

    async def _ask_small(self, request: Request[T], token: str | None = None) -> T:
        async with AsyncExitStack() as held:
            return await self._ask(request, token, held)

    async def _ask(self, request: Request[T], token: str | None, held: AsyncExitStack) -> T:
        """Ask with the token given or our own; a permit for a large answer goes to `held`."""
        if token is not None:
            return await self._repeat(request, bearer(token), held)
        own = await self._tokens.get(request.scope)
        for last in (False, True):
            try:
                answer = await self._repeat(request, bearer(own), held)
            except Unauthorized:
                await self._pace.heard(Sign.AWAY, subject(request))  # unlike a holder's, which may be taken back
                if last:
                    break
            else:
                self._tokens.accepted(request.scope)
                return answer
            own = await self._tokens.replace(request.scope, refused=own)
        raise Unavailable("the Registry refuses the client's own token, and a new one too")

    async def _fetch_token(self, scope: str) -> Grant:
        account = self._account
        request = token_request(
            account.web_url, client_id=account.client_id, client_secret=account.client_secret, scope=scope
        )
        async with AsyncExitStack() as held:
            return await self._repeat(request, None, held)

    async def _repeat(self, request: Request[T], authorization: str | None, held: AsyncExitStack) -> T:
        """Send, and send again what may pass; all our requests are idempotent (contract sections 1.3, 1.4, 2.3).

        If a pause begins before it can be sent again, what was heard counts: it is settled, and does not come back at
        the head of the queue as if it had never been asked.
        """
        limits = self._limits
        sending = AsyncRetrying(
            stop=stop_after_attempt(limits.tries) | stop_after_delay(limits.repeat_within_seconds),
            wait=wait_random(0, limits.repeat_wait_seconds),
            retry=retry_if_exception(may_pass),
            reraise=True,
        )
        told: list[RegistryError] = []

        async def once() -> T:
            try:
                return await self._try(request, authorization, held)
            except RegistryError as error:
                told.append(error)
            raise told[0] if isinstance(told[-1], Paused) else told[-1]

        return await sending(once)

    async def _try(self, request: Request[T], authorization: str | None, held: AsyncExitStack) -> T:
        while await self._pace.slot(present_lane()):
            await self._probe(authorization)
        return await self._send(request, authorization, held)

    async def _probe(self, authorization: str | None) -> None:
        """Ask the fixed question, as whoever waits: if ORCID refuses our own token, holders' may work all the same."""
        if authorization is None and (own := await self._tokens.known(READ_PUBLIC)):
            authorization = bearer(own)
        question = record_request(self._account.api_url, NOBODY)
        async with AsyncExitStack() as held:
            with suppress(RegistryError):
                await self._send(question, authorization, held, probe=True)

    async def _send(
        self, request: Request[T], authorization: str | None, held: AsyncExitStack, *, probe: bool = False
    ) -> T:
        clock = asyncio.get_running_loop().time
        started = clock()
        async with AsyncExitStack() as permits:
            try:
                status, headers, body = await exchange(
                    self._session,
                    request,
                    authorization,
                    self._limits,
                    large=self._large[request.endpoint],
                    permits=permits,
                )
                answer = await self._decipher(request, status, headers, body)
            except RegistryError as error:
                self._observe(request.endpoint.value, error.label, clock() - started)
                await self._report(request, error, authorization if probe else None, probe=probe)
                raise
            self._observe(request.endpoint.value, str(status), clock() - started)
            await self._pace.heard(Sign.ANSWERED, subject(request), probe=probe)
            held.push_async_exit(permits.pop_all())
            return answer

    async def _decipher(self, request: Request[T], status: int, headers: Mapping[str, str], body: bytes) -> T:
        """Read the answer; a large one in a thread, so that the event loop gets its turns (fault F28)."""
        if len(body) <= self._limits.large_bytes:
            return decipher(request, status, headers, body)
        return await asyncio.to_thread(decipher, request, status, headers, body)

    async def _report(self, request: Request[T], error: RegistryError, used: str | None, *, probe: bool) -> None:
        """Tell the pace what the error says about the Registry; `used` is the authorization of a probe."""
        sign = sign_of(error)
        if probe and isinstance(error, Unauthorized):  # a token just issued is not refused for its own sake
            sign = Sign.AWAY if self._tokens.is_unproven((used or "").partition(" ")[2]) else Sign.ANSWERED
        if isinstance(error, UsedUp):
            await self._pace.used_up()
        elif sign:
            silence = error.retry_after or 0.0 if isinstance(error, Busy) else 0.0
            await self._pace.heard(sign, subject(request), silence=silence, probe=probe)
