"""The authorization endpoint, to which researchers' browsers are sent (contract section 2.4).

`GET /oauth/authorize` shows the page or, where consent was given before, leads straight back; posting the page's form
is the researcher's decision. The form has the request's parameters as hidden fields and

* `orcid`: who signs in, an iD or an e-mail address (no password: the researcher is simulated);
* `decision`: `allow` or `deny`;
* `private-emails`: a box that is there, and ticked, if `/email/read-private` is asked for.

What is wrong with the request itself is said here and leads nowhere.
"""

from urllib.parse import urlencode

import msgspec

from orcid_sync.simulator.answers import http_answer
from orcid_sync.simulator.answers.http_answer import Answer
from orcid_sync.simulator.api.request import Call
from orcid_sync.simulator.base.errors import Unauthenticated
from orcid_sync.simulator.base.tokens import IGNORED, THREE_LEGGED, TWO_LEGGED, Client
from orcid_sync.simulator.oauth import consent_page
from orcid_sync.simulator.oauth.browsers import COOKIE
from orcid_sync.simulator.records.vocabulary import SIGN_IN_LANGUAGES
from orcid_sync.simulator.world import World

PARAMETERS = (
    *("client_id", "response_type", "scope", "redirect_uri", "state", "nonce", "prompt", "max_age"),
    *("given_names", "family_names", "email", "orcid", "show_login", "lang"),
)
PRIVATE_EMAILS = "/email/read-private"


class Asked(msgspec.Struct, frozen=True):
    """A request for consent that is in order."""

    client: Client
    redirect_uri: str
    scopes: frozenset[str]
    parameters: dict[str, str]
    """As they came, in the order of contract section 2.4."""

    def back(self, **outcome: str) -> Answer:
        """Lead the browser back to the client."""
        if (state := self.parameters.get("state")) is not None:
            outcome["state"] = state
        separator = "&" if "?" in self.redirect_uri else "?"
        return Answer(302, headers={"Location": f"{self.redirect_uri}{separator}{urlencode(outcome)}"})


class WrongRequest(Exception):
    """The request for consent is not in order: (title, sentence)."""


class SignInFailed(Exception):
    """The researcher cannot sign in: a sentence for the page."""


def authorize(world: World, call: Call) -> Answer:
    """`GET` and `POST /oauth/authorize`. Raises Unauthenticated for other methods."""
    if call.method not in ("GET", "POST"):
        raise Unauthenticated("invalid_request", f"{call.method} is not supported", status=405)
    given = call.query if call.method == "GET" else call.fields
    parameters = {name: given[name] for name in PARAMETERS if name in given}
    browser = call.cookie(COOKIE) or world.browsers.open()
    try:
        asked = _checked(world, parameters)
    except WrongRequest as error:
        outcome, orcid, answer = "wrong-request", None, _page(consent_page.wrong_request(*error.args), status=400)
    else:
        step = _decide if call.method == "POST" else _ask
        outcome, orcid, answer = step(world, asked, browser, given)
    world.journal.note_consent(
        at_ms=world.clock.now_ms(), outcome=outcome, orcid=orcid, browser=browser, parameters=parameters
    )
    cookie = {"Set-Cookie": f"{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Lax"}
    return msgspec.structs.replace(answer, headers={**answer.headers, **cookie})


def user_status(world: World, call: Call) -> Answer:
    """`GET /userStatus.json?logUserOut=true` signs the browser out."""
    browser = call.cookie(COOKIE)
    if call.query.get("logUserOut") == "true" and browser:
        world.browsers.sign_out(browser=browser)
    return http_answer.json_answer(200, {"loggedIn": world.browsers.signed_in(browser) is not None})


def _checked(world: World, parameters: dict[str, str]) -> Asked:
    """The request, tested in the order in which an answer can be given. Raises WrongRequest."""
    client = world.token_service.clients.get(parameters.get("client_id", ""))
    if client is None or client.deactivated:
        raise WrongRequest("invalid_client", "The client id is wrong, or the client was deactivated.")
    redirect_uri = parameters.get("redirect_uri", "")
    if not client.leads_back_to(redirect_uri):
        raise WrongRequest("redirect_uri_mismatch", "The redirect URI is none of those that are registered.")
    if parameters.get("response_type") != "code":
        raise WrongRequest("unsupported_response_type", "The response type is not supported; it must be code.")
    asked = set(parameters.get("scope", "").split())
    scopes = frozenset(asked & set(THREE_LEGGED))
    if not scopes or not asked <= {*THREE_LEGGED, *TWO_LEGGED, *IGNORED}:
        raise WrongRequest("invalid_scope", "The scope is missing or unknown.")
    return Asked(client, redirect_uri, scopes, parameters)


def _ask(world: World, asked: Asked, browser: str, _given: dict[str, str]) -> tuple[str, str | None, Answer]:
    """Show the page, unless the same consent was given before and nothing forces to show it."""
    prompt = asked.parameters.get("prompt", "").split()
    if "login" in prompt:
        world.browsers.sign_out(browser=browser)
    orcid = world.browsers.signed_in(browser) if "login" not in prompt else None
    if orcid is not None:
        _set_language(world, asked, orcid)
    same = orcid is not None and any(
        token.scopes == asked.scopes for token in world.token_service.active(orcid, asked.client.client_id)
    )
    if orcid is not None and same and "confirm" not in prompt:
        return "skipped", orcid, _with_code(world, asked, orcid, asked.scopes)
    if prompt == ["none"] and "openid" in asked.scopes:  # no page may be shown
        return "no-page", orcid, asked.back(error="login_required" if orcid is None else "interaction_required")
    return "page", orcid, _page(consent_page.asking(asked.client.name, asked.parameters, asked.scopes, orcid))


def _decide(world: World, asked: Asked, browser: str, given: dict[str, str]) -> tuple[str, str | None, Answer]:
    """What the researcher decided. Denying needs no sign-in here."""
    if given.get("decision") == "deny":
        return "denied", None, asked.back(error="access_denied", error_description="User denied access")
    try:
        orcid = _signed_in(world, given.get("orcid", "") or world.browsers.signed_in(browser) or "")
    except SignInFailed as error:
        parameters = {**asked.parameters, "orcid": given.get("orcid", "")}
        page = consent_page.asking(asked.client.name, parameters, asked.scopes, None, complaint=str(error))
        return "sign-in-failed", None, _page(page, status=400)
    world.browsers.sign_in(orcid, browser=browser)
    _set_language(world, asked, orcid)
    kept = asked.scopes if given.get("private-emails") else asked.scopes - {PRIVATE_EMAILS}
    return "allowed", orcid, _with_code(world, asked, orcid, kept)


def _with_code(world: World, asked: Asked, orcid: str, scopes: frozenset[str]) -> Answer:
    return asked.back(code=world.grants.offer(asked.client, orcid, scopes, asked.redirect_uri).text)


def _signed_in(world: World, name: str) -> str:
    """The iD of a researcher who signs in with an iD or an e-mail address. Raises SignInFailed."""
    orcid = world.profiles.owner_of(name.strip()) if "@" in name else name.strip().rpartition("/")[2]
    state = world.find_state(orcid or "")
    if state is None:
        raise SignInFailed("There is no record with this iD or e-mail address.")
    for barred, sentence in (
        (state.primary_orcid is not None, f"This record was merged into {state.primary_orcid}: sign in with that iD."),
        (not state.claimed, "This record is not claimed yet."),
        (state.locked, "This record is locked."),
        (state.deactivated_ms is not None, "This record is deactivated."),
    ):
        if barred:
            raise SignInFailed(sentence)
    return state.orcid


def _set_language(world: World, asked: Asked, orcid: str) -> None:
    """`lang` sets the account's language, and so has the indexer announce the record (contract sections 1.7, 2.4)."""
    language = asked.parameters.get("lang", "")
    if language in SIGN_IN_LANGUAGES:
        world.editor.set_locale(orcid, language)


def _page(text: str, *, status: int = 200) -> Answer:
    headers = {"Cache-Control": "no-store"}
    return Answer(status, text.encode(), "text/html;charset=UTF-8", headers)
