"""Signed texts that browsers carry: what was changed, or was signed for something else, says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.ids import Orcid
from orcid_sync.service.consent.signed_links import Link, LinkSigner, Session
from orcid_sync.store.database.encryption import Vault

OLD, NEW = bytes(32), bytes(range(32))
ORCID = Orcid("0000-0002-1825-0097")
LINK, SESSION = Link(17, 1_800_000_000), Session(17, ORCID, 1_800_000_000)


def tickets(environment: str = "sandbox", **keys: bytes) -> LinkSigner:
    return LinkSigner(Vault(keys or {"1": OLD}).derive, environment)


def test_what_was_signed_is_read() -> None:
    assert tickets().read_invitation(tickets().invitation(LINK)) == LINK
    assert tickets().read_session(tickets().session(SESSION)) == SESSION
    assert tickets().guards("cookie", tickets().guard("cookie"))


def test_a_link_is_always_the_same() -> None:
    assert tickets().invitation(LINK) == tickets().invitation(LINK)
    assert tickets().invitation(LINK).startswith("17.1800000000.")


@pytest.mark.invariant("S19")
def test_what_an_old_key_signed_stays_good_while_it_is_in_the_ring() -> None:
    signed = tickets(old=OLD).invitation(LINK)

    assert tickets(new=NEW, old=OLD).read_invitation(signed) == LINK
    assert tickets(new=NEW).read_invitation(signed) is None
    assert tickets(new=NEW, old=OLD).invitation(LINK) == tickets(new=NEW).invitation(LINK)


def test_a_signature_is_for_one_purpose_and_one_environment() -> None:
    link, session = tickets().invitation(LINK), tickets().session(SESSION)

    assert tickets("production").read_invitation(link) is None
    assert tickets().read_invitation(session) is None
    assert tickets().read_session(link) is None
    assert not tickets().guards("17.1800000000", link.rpartition(".")[2])
    assert tickets().read_session(f"{session.rpartition('.')[0]}.{link.rpartition('.')[2]}") is None


@given(place=st.integers(0, 56), letter=st.characters())
def test_no_letter_can_be_changed(place: int, letter: str) -> None:
    signed = tickets().invitation(LINK)
    changed = signed[:place] + letter + signed[place + 1 :]

    assert changed == signed or tickets().read_invitation(changed) is None


@given(st.text())
def test_other_texts_are_none(text: str) -> None:
    assert tickets().read_invitation(text) is None
    assert tickets().read_session(text) is None
    assert not tickets().guards("cookie", text)
