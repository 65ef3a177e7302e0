"""Our addresses that the Registry calls: one per iD, unguessable, derivable at any time.

A notification has no body, no signature and no iD (contract section 1.6), so the address must say which record changed
and prove that it came from ORCID. It is derived from a secret instead of stored, because the Registry has no list of
webhooks: whoever loses the table can still remove every one of them (contract section 11, no. 1).
"""

import base64
import hmac
from typing import Final

from orcid_sync.model.ids import Orcid

CALLBACK_PATH: Final = "/webhooks/{orcid}/{token}"
"""The path of a callback below the public address, as aiohttp's router writes it."""


def callback_url(public_url: str, *, secret: bytes, key_version: int, environment: str, orcid: Orcid) -> str:
    """The address at which the Registry announces changes of this iD.

    `key_version` says which secret made it, so that secrets can be replaced one webhook at a time.
    """
    token = _token(secret, key_version, environment, orcid)
    return public_url.rstrip("/") + CALLBACK_PATH.format(orcid=orcid, token=token)


def verify_callback(token: str, *, secret: bytes, key_version: int, environment: str, orcid: Orcid) -> bool:
    """Whether `token` is the last segment of this iD's callback address, compared in constant time."""
    expected = _token(secret, key_version, environment, orcid)
    return hmac.compare_digest(expected.encode(), token.encode(errors="replace"))


def _token(secret: bytes, key_version: int, environment: str, orcid: Orcid) -> str:
    # The environment is signed too: a sandbox address is worthless in production. The separator cannot occur in an iD.
    signature = hmac.digest(secret, f"{environment}\n{orcid}".encode(), "sha256")
    return f"{key_version}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
