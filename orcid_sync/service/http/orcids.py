"""iDs in requests: those of another environment of ORCID's are other people's, or nobody's (fault F45)."""

from typing import Final

from aiohttp import web

from orcid_sync.model.ids import Orcid, parse_orcid

HOME: Final = web.AppKey("home", str)
"""The environment of ORCID's whose iDs the listener speaks of; not set if it is not ORCID's."""


def read_orcid(request: web.Request, given: str) -> Orcid:
    """An iD that a request names, in any form. Raises InvalidOrcid."""
    return parse_orcid(given, home=request.config_dict.get(HOME))
