"""Our addresses that the Registry calls: one per iD, unguessable, derivable at any time.

A notification has no body, no signature and no iD (contract section 1.6), so the address must say which record changed
and prove that it came from ORCID. It is derived from a secret instead of stored, because the Registry has no list of
webhooks: whoever loses the table can still remove every one of them (contract section 11, no. 1).
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orcid_sync.model.ids import Orcid

CALLBACK_PATH: Final = "/webhooks/{orcid}/{token}"
"""The path of a callback below the public address, as aiohttp's router writes it."""

_PROOF_BYTES: Final = 8
"""Enough to tell two secrets apart, too little to be of use to whoever reads it in the database."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The addresses that this installation gives out, or has given out under earlier secrets."""

    environment: str
    secrets: Mapping[int, bytes] = field(repr=False)
    """By key version: the present one and those that may still be called."""

    def url(self, public_url: str, key_version: int, orcid: Orcid) -> str:
        """The address of an iD below a public address. Raises KeyError if the secret of that version is not known."""
        secret = self.secrets[key_version]
        return callback_url(
            public_url, secret=secret, key_version=key_version, environment=self.environment, orcid=orcid
        )

    def verify(self, token: str, key_version: int, orcid: Orcid) -> bool:
        """Whether it is the last segment of this iD's address under that version."""
        secret = self.secrets.get(key_version)
        return secret is not None and verify_callback(
            token, secret=secret, key_version=key_version, environment=self.environment, orcid=orcid
        )

    @property
    def proofs(self) -> dict[int, bytes]:
        """By key version: what tells the same secret from another one."""
        return {version: proof(secret, self.environment) for version, secret in self.secrets.items()}


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


def proof(secret: bytes, environment: str) -> bytes:
    """Tells whether a secret is still the same without being it: removing webhooks with a wrong one would seem to work.

    The Registry answers the removal of an address that it never knew as it answers a repeated one (contract 1.4).
    """
    return hmac.digest(secret, f"{environment}\nproof".encode(), "sha256")[:_PROOF_BYTES]


def _token(secret: bytes, key_version: int, environment: str, orcid: Orcid) -> str:
    # The environment is signed too: a sandbox address is worthless in production. The separator cannot occur in an iD.
    signature = hmac.digest(secret, f"{environment}\n{orcid}".encode(), "sha256")
    return f"{key_version}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
