"""The two pages of the authorization endpoint as HTML."""

from collections.abc import Iterable, Mapping

import jinja2

_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("orcid_sync.simulator.oauth"), autoescape=True, undefined=jinja2.StrictUndefined
)
_NEW_ACCOUNT = ("given_names", "family_names", "email")


def asking(
    client: str, parameters: Mapping[str, str], scopes: Iterable[str], orcid: str | None, *, complaint: str = ""
) -> str:
    """The page that asks a researcher. `orcid`: who is signed in, if anybody is."""
    new_account = [parameters[name] for name in _NEW_ACCOUNT if name in parameters]
    return _PAGES.get_template("consent.html").render(
        title="Authorize access",
        complaint=complaint,
        client=client,
        scopes=sorted(scopes),
        hidden={name: value for name, value in parameters.items() if name != "orcid"},
        orcid=orcid or parameters.get("orcid", ""),
        new_account=" ".join(new_account) if parameters.get("show_login") == "false" else "",
        private_emails="/email/read-private" in scopes,
    )


def wrong_request(error: str, sentence: str) -> str:
    """The page that says why nobody is asked anything."""
    return _PAGES.get_template("consent.html").render(title=f"Error: {error}", complaint=sentence, client="")
