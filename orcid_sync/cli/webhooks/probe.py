"""Sends a request to the public address as ORCID does: a certificate, redirect or proxy may block it (fault F14)."""

from typing import TYPE_CHECKING, NamedTuple

from orcid_sync.settings.redaction import clean

if TYPE_CHECKING:
    from aiohttp import ClientResponse

SECONDS = 20.0
"""ORCID waits no longer (contract section 1.6)."""

ADDRESS = "/webhooks/x/y"
"""Nobody's: we refuse it with an empty 404, whoever asks."""

_SAMPLE = 64
"""Bytes of an answer that tell whether it has a body."""


class ProbeResult(NamedTuple):
    """What came of it."""

    open: bool
    explanation: str


async def probe(public_url: str) -> ProbeResult:
    """Send what ORCID sends: a POST without a body, which follows no redirect (contract section 1.6)."""
    import aiohttp  # noqa: PLC0415 - heavy

    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=SECONDS),
        headers={"User-Agent": "Java-http-client/17"},
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
    ) as session:
        try:
            async with session.post(public_url + ADDRESS, allow_redirects=False) as answer:
                return _judged(answer, await answer.content.read(_SAMPLE))
        except aiohttp.ClientConnectorCertificateError as error:
            reason = getattr(error.certificate_error, "verify_message", "") or "not trusted"
            return ProbeResult(False, f"the certificate is refused ({reason}): ORCID counts each call as a failure")
        except (aiohttp.ClientError, TimeoutError) as error:
            return ProbeResult(False, f"no answer from here ({_reason(error)}): check that the service runs")


def _judged(answer: "ClientResponse", body: bytes) -> ProbeResult:
    if answer.status == 404 and not body:
        return ProbeResult(True, "the public listener answers")
    if 300 <= answer.status < 400:
        to = clean(answer.headers.get("Location", "elsewhere"))
        return ProbeResult(
            False, f"redirects to {to}: ORCID does not follow redirects, and counts each call as a failure"
        )
    by = clean(answer.headers.get("Server", "another server"))
    return ProbeResult(
        False, f"{by} answers {answer.status} instead of the service: let POST /webhooks/… pass unchanged"
    )


def _reason(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else clean(str(error))
