"""How the status pages become HTML: templates, the ways in which numbers, times and names are shown, headers, files."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Final

import jinja2
from aiohttp import hdrs, web
from markupsafe import Markup, escape

from orcid_sync import __version__
from orcid_sync.model.scopes import Scope
from orcid_sync.model.text.wording import ago, duration, moment
from orcid_sync.service.http.authentication import CALLER
from orcid_sync.service.http.headers import page_headers

PAGES: Final = {
    "/": "Overview",
    "/connections": "Connections",
    "/webhooks": "Webhooks",
    "/subscriptions": "Subscriptions",
    "/runs": "Runs",
}
"""What stands in the navigation."""

RESERVED: Final = frozenset({"/subscriptions"})
"""What of that is for administrators."""

TABS: Final = {"": "Mirror", "/timeline": "Time line", "/compare": "Compare"}
"""What there is about a record, by the end of the address."""

KINDS: Final[Mapping[str, str]] = {
    "connected": "ok",
    "active": "ok",
    "locked": "warn",
    "unclaimed": "warn",
    "not-found": "warn",
    "granted": "ok",
    "suspect": "warn",
    "revoked": "fail",
    "expired": "fail",
    "registering": "warn",
    "verifying": "warn",
    "reviving": "warn",
    "limited": "limited",
}
"""What states look like that are not just noted; the word always stands beside the colour."""

POLICY: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}

_ORCID: Final = re.compile(r"\b[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]\b", re.ASCII)
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HARMLESS: Final = frozenset("\u200c\u200d\n\t")
"""Not printable, and nothing to fear: what joins letters in Persian, Hindi and others; white space of HTML."""


class Renderer:
    """Renders the pages of one installation."""

    def __init__(self, *, environment: str, web_url: str) -> None:
        """`environment` is the Registry's, `web_url` where it shows records to people."""
        self._files = _files()
        self._jinja = jinja2.Environment(
            loader=jinja2.PackageLoader("orcid_sync.service.rendering"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._jinja.filters |= {"n": number, "share": share, "when": when, "iso": iso, "shown": shown, "words": words}
        self._jinja.filters |= {"ago": ago, "duration": duration, "linked": linked}
        self._jinja.globals |= {"kinds": KINDS, "navigation": PAGES, "reserved_pages": RESERVED, "asset": self._address}
        self._jinja.globals |= {"tabs": TABS, "web_url": web_url, "environment": environment, "version": __version__}
        # With no-referrer browsers would not say of our own forms either where they were posted from.
        self._headers = page_headers(POLICY, referrer="same-origin")

    def page(self, request: web.Request, template: str, *, title: str, status: int = 200, **said: Any) -> web.Response:
        """A whole page for whoever asks."""
        caller = request.get(CALLER)
        shell = {"title": title, "path": request.path, "caller": caller, "q": "", "live": None}
        shell["administers"] = caller is not None and caller.may(Scope.ADMIN)
        html = self._jinja.get_template(template).render(shell | said)
        return web.Response(text=html, status=status, content_type="text/html", headers=self._headers)

    def fragment(self, template: str, **said: Any) -> str:
        """A part of a page."""
        return self._jinja.get_template(template).render(said)

    def lead(self, address: str) -> web.Response:
        """Send the browser on, by GET, to an address of ours."""
        return web.Response(status=303, headers={**self._headers, hdrs.LOCATION: address})

    def file(self, name: str) -> web.Response | None:
        """A file that pages need, by the name in their HTML; it may be kept, for another one has another name."""
        if (found := self._files.get(name)) is None:
            return None
        content_type, body = found
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    def _address(self, name: str) -> str:
        stem, _, ending = name.partition(".")
        return next(f"/static/{one}" for one in self._files if one.startswith(f"{stem}-") and one.endswith(ending))


def number(value: float) -> str:
    """A number with thousands set apart."""
    return f"{value:,}"


def share(part: float) -> str:
    """A part of 1 in percent; what is nearly all or nearly nothing is not rounded to it."""
    if 0 < part < 0.001:
        return "< 0.1 %"
    if 0.999 < part < 1:
        return "> 99.9 %"
    return f"{100 * part:.1f} %".replace(".0 %", " %")


def when(at: datetime) -> str:
    """A moment, with its zone."""
    return moment(at).removesuffix("Z") + " UTC"


def iso(at: datetime) -> str:
    """A moment for machines."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def shown(text: Any) -> str:
    r"""Somebody's text, in which nothing acts that is not seen: controls and what reorders text stand as \u202e."""
    return "".join(
        c if c.isprintable() or c in _HARMLESS else c.encode("unicode_escape").decode("ascii") for c in str(text)
    )


def linked(text: str) -> Markup:
    """A sentence of ours, with a link to the page of each iD that it names."""
    return Markup(_ORCID.sub(r'<a class="whole" href="/records/\g<0>">\g<0></a>', str(escape(text))))  # noqa: S704 - escaped


def words(name: str) -> str:
    """A name of ours as words: NOT_FOUND, not-found."""
    return name.lower().replace("_", " ").replace("-", " ")


def _files() -> dict[str, tuple[str, bytes]]:
    """The files of the folder static by names that change with their content: type and bytes."""
    found = {}
    for file in resources.files("orcid_sync.service.rendering").joinpath("static").iterdir():
        stem, _, ending = file.name.partition(".")
        body = file.read_bytes()
        digest = hashlib.sha256(body).hexdigest()[:12]
        found[f"{stem}-{digest}.{ending}"] = (_TYPES[ending], body)
    return found
