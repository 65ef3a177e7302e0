"""Sealing tokens: AES-256-GCM, each ciphertext bound to the iD and the column that it belongs to.

A ciphertext that is moved to another person's row, to another column or under another key does not open (invariant S19,
fault F90), which is why this is not Fernet. Random nonces are safe for 2**32 tokens a key (NIST SP 800-38D); there are
some 10**8 iDs in the world.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "v1"


class VaultError(Exception):
    """A ciphertext does not open here, or the key is unusable. The message never contains either."""


class Vault:
    """Seals and opens tokens with one key, known by its id."""

    def __init__(self, key_id: str, key: bytes) -> None:
        """Take 32 random bytes as the key. Raises VaultError if it has another length."""
        if len(key) != KEY_BYTES:
            raise VaultError(f"the encryption key must be {KEY_BYTES} bytes long, not {len(key)}")
        if not key_id or "." in key_id:
            raise VaultError("the id of an encryption key must not be empty or contain a dot")
        self._key_id = key_id
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return f"Vault({self._key_id!r}, …)"

    def seal(self, plaintext: str, *, orcid: str, column: str) -> str:
        """Encrypt for one place: `v1.<key id>.<base64url of nonce and ciphertext>`.

        Of our own client's tokens the client id stands in the iD's place.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plaintext.encode(), self._bound_to(orcid, column))
        return ".".join((_VERSION, self._key_id, base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")))

    def open(self, text: str, *, orcid: str, column: str) -> str:
        """Decrypt what was sealed for this place. Raises VaultError for anything else."""
        version, key_id, body = self._parts(text)
        if version != _VERSION:
            raise VaultError("sealed in a form that this version does not know")
        if key_id != self._key_id:
            raise VaultError(f"sealed with the key {key_id!a}, but the vault holds {self._key_id!a}")
        try:
            sealed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            plaintext = self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound_to(orcid, column)
            )
        except (InvalidTag, binascii.Error, ValueError):
            raise VaultError("does not open: damaged, moved from another place, or sealed with another key") from None
        return plaintext.decode()

    def _bound_to(self, orcid: str, column: str) -> bytes:
        return f"orcid_sync|{_VERSION}|{self._key_id}|{orcid}|{column}".encode()

    @staticmethod
    def _parts(text: str) -> list[str]:
        parts = text.split(".")
        if len(parts) != 3:
            raise VaultError("not a sealed text")
        return parts
