"""What is wrong with a request, as problem details for programs (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import hdrs, web

CONTENT_TYPE = "application/problem+json"

KINDS = "urn:orcid-sync:problem:"
"""Before the kind of a problem that programs may want to tell from others of the same status."""


class Problem(Exception):
    """The request cannot be answered as it is; `detail` says what to do."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers = headers or {}
        self.members = members

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        return {
            "type": f"{KINDS}{self.kind}" if self.kind else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def response(self) -> web.Response:
        """The answer."""
        headers = {**self.headers, hdrs.CONTENT_TYPE: CONTENT_TYPE, hdrs.CACHE_CONTROL: "no-store"}
        return web.Response(status=self.status, body=msgspec.json.encode(self.document), headers=headers)


_ADVICE = {
    404: "There is nothing at this address. All addresses: /v1/openapi.json",
    405: "This address does not allow this method; the header Allow names those that it allows.",
    413: "The body is too large.",
}


def problem_of(error: web.HTTPException) -> Problem:
    """What aiohttp refused, in our form."""
    allowed = {str(hdrs.ALLOW): error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
    return Problem(error.status, _ADVICE.get(error.status, error.reason), headers=allowed)
