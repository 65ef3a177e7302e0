"""Encrypting tokens: AES-256-GCM, each ciphertext bound to the iD and the column that it belongs to.

A ciphertext that is moved to another person's row, to another column or under another key does not open (invariant S19,
fault F90), which is why this is not Fernet. Random nonces are safe for 2**32 tokens a key (NIST SP 800-38D); there are
some 10**8 iDs in the world.

The vault holds a ring of keys: the present one seals, every one opens what it sealed. A key is replaced by putting a
new one in front of it and sealing everything anew (`orcid_sync.store.database.encryption_keys`).
"""

import base64
import binascii
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CLIENT_TOKEN_COLUMN = "client_tokens.access_token"  # noqa: S105 - the name of a column
"""What our own tokens are bound to, beside the client id."""

PUSH_SECRET_COLUMN = "subscription_secrets.secret"  # noqa: S105 - the name of a column
"""What the secrets of subscriptions are bound to, beside the subscription's number."""

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "v1"


class VaultError(Exception):
    """A ciphertext does not open here, or a key is unusable. The message never contains either."""


class Vault:
    """Seals tokens with the present key, and opens them with whichever key of the ring sealed them."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take keys of 32 random bytes by their ids, the present one first. Raises VaultError if one is unusable."""
        if not keys:
            raise VaultError("there is no encryption key")
        for key_id, key in keys.items():
            if len(key) != KEY_BYTES:
                raise VaultError(f"the encryption key must be {KEY_BYTES} bytes long, not {len(key)}")
            if not key_id or "." in key_id:
                raise VaultError("the id of an encryption key must not be empty or contain a dot")
        self._keys = dict(keys)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    def __repr__(self) -> str:
        return f"Vault({', '.join(map(repr, self.key_ids))}; …)"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys, that of the present one first."""
        return tuple(self._keys)

    def seal(self, plaintext: str, *, orcid: str, column: str) -> str:
        """Encrypt for one place: `v1.<key id>.<base64url of nonce and ciphertext>`.

        Of our own client's tokens the client id stands in the iD's place.
        """
        key_id, nonce = self.key_ids[0], os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[key_id].encrypt(nonce, plaintext.encode(), _bound_to(key_id, orcid, column))
        return ".".join((_VERSION, key_id, base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")))

    def open(self, text: str, *, orcid: str, column: str) -> str:
        """Decrypt what was sealed for this place. Raises VaultError for anything else, or if the key is not set."""
        version, key_id, body = _parts(text)
        if version != _VERSION:
            raise VaultError("encrypted in a form that this version does not know")
        if key_id not in self._ciphers:
            raise VaultError(f"encrypted with the key {key_id!a}, which is not set")
        try:
            sealed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            plaintext = self._ciphers[key_id].decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(key_id, orcid, column)
            )
        except (InvalidTag, binascii.Error, ValueError):
            raise VaultError(
                "cannot be decrypted: damaged, moved from another place, or encrypted with another key"
            ) from None
        return plaintext.decode()

    def reseal(self, text: str, *, orcid: str, column: str) -> str:
        """The same token under the present key; the text as it is if that sealed it. Raises VaultError."""
        if _parts(text)[1] == self.key_ids[0]:
            return text
        return self.seal(self.open(text, orcid=orcid, column=column), orcid=orcid, column=column)

    def is_old(self, text: str) -> bool:
        """Whether the text says that an older key of the ring sealed it."""
        return text.partition(".")[2].partition(".")[0] in self.key_ids[1:]

    def derive(self, purpose: str) -> list[bytes]:
        """Keys of 32 bytes for another purpose than sealing, one of each key of the ring, the present one's first.

        Sign with the first, accept what any of them signed. They say nothing about the keys that they come from, or
        about those of another purpose (HKDF, RFC 5869).
        """
        info = f"orcid_sync|{purpose}".encode()
        return [
            HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key) for key in self._keys.values()
        ]


def _bound_to(key_id: str, orcid: str, column: str) -> bytes:
    return f"orcid_sync|{_VERSION}|{key_id}|{orcid}|{column}".encode()


def _parts(text: str) -> list[str]:
    parts = text.split(".")
    if len(parts) != 3:
        raise VaultError("not a sealed text")
    return parts
