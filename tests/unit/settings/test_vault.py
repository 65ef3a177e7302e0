"""A sealed token opens in its own place only."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.store.database.encryption import Vault, VaultError

KEY = bytes(range(32))
ORCID = "0009-9990-0000-0005"
VAULT = Vault({"1": KEY})
PLACE = {"orcid": ORCID, "column": "tokens.access_token"}


@pytest.mark.invariant("S19")
@given(st.text(max_size=200))
def test_round_trip(plaintext: str) -> None:
    assert VAULT.open(VAULT.seal(plaintext, **PLACE), **PLACE) == plaintext


@given(st.text(min_size=8, max_size=50))
def test_the_sealed_text_says_its_key_and_nothing_else(plaintext: str) -> None:
    sealed = VAULT.seal(plaintext, **PLACE)
    assert sealed.startswith("v1.1.")
    assert plaintext not in sealed
    assert sealed != VAULT.seal(plaintext, **PLACE), "a nonce was used twice"


@pytest.mark.invariant("S19")
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_flipped_bit_opens(position: int, mask: int) -> None:
    head, body = VAULT.seal("made-up token", **PLACE).rsplit(".", 1)
    raw = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    raw[position % len(raw)] ^= mask
    damaged = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    with pytest.raises(VaultError):
        VAULT.open(f"{head}.{damaged}", **PLACE)


@pytest.mark.invariant("S19")
@given(st.integers(0, 10_000), st.characters())
def test_no_changed_character_opens(position: int, character: str) -> None:
    sealed = VAULT.seal("made-up token", **PLACE)
    position %= len(sealed)
    changed = sealed[:position] + character + sealed[position + 1 :]
    if changed == sealed:
        return
    try:
        opened = VAULT.open(changed, **PLACE)
    except VaultError:
        return
    # The last character of base64 has bits that mean nothing.
    assert (position, opened) == (len(sealed) - 1, "made-up token")


@pytest.mark.fault("F90")
@pytest.mark.invariant("S19")
@pytest.mark.parametrize(
    ("vault", "place"),
    [
        (VAULT, {**PLACE, "orcid": "0009-9990-0000-0013"}),
        (VAULT, {**PLACE, "column": "tokens.refresh_token"}),
        (Vault({"2": KEY}), PLACE),
        (Vault({"1": KEY[::-1]}), PLACE),
    ],
    ids=["another iD", "another column", "another key id", "another key"],
)
def test_nothing_opens_elsewhere(vault: Vault, place: dict[str, str]) -> None:
    with pytest.raises(VaultError):
        vault.open(VAULT.seal("made-up token", **PLACE), **place)


@pytest.mark.invariant("S19")
@given(st.text(max_size=50))
def test_an_older_key_opens_and_the_present_one_seals(plaintext: str) -> None:
    sealed = VAULT.seal(plaintext, **PLACE)
    ring = Vault({"2": KEY[::-1], "1": KEY})

    assert ring.open(sealed, **PLACE) == plaintext
    assert ring.seal(plaintext, **PLACE).startswith("v1.2.")
    anew = ring.reseal(sealed, **PLACE)
    assert Vault({"2": KEY[::-1]}).open(anew, **PLACE) == plaintext
    assert ring.reseal(anew, **PLACE) == anew
    assert (ring.is_old(sealed), ring.is_old(anew), VAULT.is_old(sealed)) == (True, False, False)


@pytest.mark.invariant("S19")
def test_sealing_anew_demands_the_right_place() -> None:
    """Else a rotation would bless what somebody moved."""
    ring = Vault({"2": KEY[::-1], "1": KEY})
    with pytest.raises(VaultError):
        ring.reseal(VAULT.seal("made-up token", **PLACE), orcid="0009-9990-0000-0013", column=PLACE["column"])


@pytest.mark.fault("F91")
def test_a_key_that_is_not_set_is_named() -> None:
    with pytest.raises(VaultError, match="encrypted with the key '1', which is not set"):
        Vault({"2": KEY}).open(VAULT.seal("made-up token", **PLACE), **PLACE)


def test_derives_keys_that_differ_by_key_and_by_purpose() -> None:
    other = KEY[::-1]
    derived = Vault({"2": other, "1": KEY}).derive("invitations")

    assert derived == [*Vault({"2": other}).derive("invitations"), *VAULT.derive("invitations")]
    assert {len(key) for key in derived} == {32}
    assert len({*derived, *VAULT.derive("others"), KEY, other}) == 5
    # By RFC 5869, computed apart: what was signed outlives a release.
    assert VAULT.derive("invitations")[0].hex() == "6b6a5fa869dc2f0a84bc6382495e9f562e70bb37d6c3c5bdff3dc84471fd93f0"


def test_the_key_id_is_bound_too() -> None:
    renamed = VAULT.seal("made-up token", **PLACE).replace("v1.1.", "v1.2.", 1)
    with pytest.raises(VaultError):
        Vault({"2": KEY}).open(renamed, **PLACE)


@pytest.mark.invariant("S12")
@pytest.mark.parametrize(
    "text", ["", "made-up token", "v1.1", "v2.1.AAAA", "v1.1.!", "v1.1.AAAA", "v1.1.\xff", "a.b.c.d"]
)
def test_errors_do_not_repeat_what_they_were_given(text: str) -> None:
    with pytest.raises(VaultError) as caught:
        VAULT.open(text, **PLACE)
    assert len(text) < 5 or text not in str(caught.value)
    assert caught.value.__cause__ is None
    assert KEY.hex() not in repr(VAULT)


@pytest.mark.parametrize(
    "keys", [{}, {"1": b"short"}, {"": KEY}, {"a.b": KEY}, {"2": KEY, "1": b"short"}], ids=",".join
)
def test_unusable_keys_are_refused(keys: dict[str, bytes]) -> None:
    with pytest.raises(VaultError) as caught:
        Vault(keys)
    assert "short" not in str(caught.value)
