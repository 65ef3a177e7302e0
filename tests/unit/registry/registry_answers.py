"""Answers of a Registry that is not there, given in the order in which they were added."""

import json
from types import SimpleNamespace
from typing import Any

import aiohttp
from aioresponses import aioresponses

from orcid_sync.model.ids import Orcid

API = "https://registry.example.org"
ORCID = Orcid("0000-0002-1825-0097")
RECORD_URL = f"{API}/v3.0/{ORCID}/record"
TOKEN_URL = f"{API}/oauth/token"
USER_TOKEN = "c4n4ry-70c3n"
RECORD = json.dumps({"orcid-identifier": {"path": ORCID}, "person": {}, "activities-summary": {}})
HTML = {"Content-Type": "text/html"}
TEXT = {"Content-Type": "text/plain"}


class AnswerOfAiohttp314(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not pass `stream_writer`, which aiohttp >= 3.14 demands (pnuckowski/aioresponses#289).

    aiohttp is not pinned below 3.14 because of GHSA-jg22-mg44-37j8. To be removed when aioresponses#288 is released.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=SimpleNamespace(output_size=0), **kwargs)


class Answers(aioresponses):
    """Answers given in the order in which they were added."""

    def will(self, method: str, url: str, answer: Any, *, repeat: bool = False) -> None:
        if isinstance(answer, Exception):
            self.add(url, method, exception=answer, repeat=repeat)
            return
        status, body, *rest = answer
        headers = {"Content-Type": "application/json", **(rest[0] if rest else {})}
        self.add(
            url, method, status=status, body=body, headers=headers, response_class=AnswerOfAiohttp314, repeat=repeat
        )

    def sent(self) -> list[tuple[str, str, str | None]]:
        """Method, path and token of what was asked, in order."""
        calls = [(method, url, call) for (method, url), calls in self.requests.items() for call in calls]
        return [(m, u.path, call.kwargs["headers"].get("Authorization")) for m, u, call in calls]
