"""The connect pages as HTML, and the headers that keep them to themselves.

No scripts, nothing from elsewhere, nothing kept by browsers or proxies, no address passed on: what comes from ORCID or
from a file of people is text, and stays text (fault F72). The page says in `lang` which language it is in.
"""

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2
import msgspec
from aiohttp import hdrs, web
from markupsafe import Markup

from orcid_sync.service.consent.translations import Translations, choose, load_texts
from orcid_sync.service.http.headers import page_headers

STATUSES: Final[Mapping[str, int]] = {
    "invitation": 200,
    "connected": 200,
    "left": 200,
    "ended": 200,
    "frozen": 200,
    "erased": 200,
    "denied": 200,
    "different": 403,
    "used": 409,
    "taken": 409,
    "incomplete": 403,
    "refused": 502,
    "unavailable": 503,
    "over": 400,
    "session": 403,
    "expired": 410,
    "incomplete_link": 404,
    "away": 503,
}
"""Every page, with the status that it is answered with."""

_TEMPLATES: Final = {"invitation": "invitation.html", "connected": "connected.html", "left": "left.html"}
_MESSAGE: Final = "message.html"
_LINKS: Final = {"retry": None, "other": None, "connected": None, "leave": None}
"""What a page may lead to besides its own matter; mostly nothing."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    institution: str
    institution_url: str
    """Empty: none."""
    purpose: str
    privacy_url: str
    contact: str
    web_url: str
    """Where ORCID is: https://orcid.org."""

    @property
    def contact_link(self) -> str:
        """Where the contact leads to."""
        return f"mailto:{self.contact}" if "@" in self.contact and "://" not in self.contact else self.contact


class Pages:
    """Renders pages in the language of whoever reads them."""

    def __init__(self, facts: Facts, *, public_url: str) -> None:
        """The pages of one institution, reached under `public_url`."""
        self._facts = facts
        self._texts = load_texts({"institution": facts.institution})
        self._jinja = jinja2.Environment(
            loader=jinja2.PackageLoader("orcid_sync.service.consent"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style = resources.files("orcid_sync.service.consent").joinpath("templates/style.css").read_text("utf-8")
        self._style = Markup(style)  # noqa: S704 - a file of ours
        self._headers = security_headers(style, web_url=facts.web_url, public_url=public_url)

    def show(self, page: str, *, accepted: str = "", wished: str | None = None, **words: Any) -> web.Response:
        """A page in the language wished for, or in one that the browser accepts."""
        texts = choose(self._texts, wished, accepted)
        html = self._jinja.get_template(_TEMPLATES.get(page, _MESSAGE)).render(
            {"page": page, "title": _title(texts, page, words), "lang": texts.language, "css": self._style}
            | {"facts": self._facts, "say": texts.say, "lines": texts.lines, **_LINKS}
            | words
        )
        headers = {**self._headers, "Content-Language": texts.language}
        return web.Response(text=html, status=STATUSES[page], content_type="text/html", headers=headers)

    def language(self, accepted: str, wished: str | None) -> str:
        """The language in which `show` would answer."""
        return choose(self._texts, wished, accepted).language

    def lead(self, address: str) -> web.Response:
        """Send the browser on, by GET, to an address of ours or ORCID's (faults F73, F74)."""
        return web.Response(status=303, headers={**self._headers, hdrs.LOCATION: address})


def _title(texts: Translations, page: str, words: Mapping[str, Any]) -> str:
    return texts.say(f"{page}.returning_title" if words.get("returning") else f"{page}.title")


def security_headers(style: str, *, web_url: str, public_url: str) -> dict[str, str]:
    """The headers of every answer.

    Browsers hold the address at ORCID against form-action, since the form leads there by way of us.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": f"'self' {_origin(web_url)}",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    headers = {**page_headers(policy, referrer="no-referrer"), "Vary": "Accept-Language, Cookie"}
    if public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
