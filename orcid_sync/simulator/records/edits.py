"""What researchers, organisations and ORCID's staff do to records; each does what contract section 1.7 says it does."""

from collections.abc import Mapping
from typing import Any

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.base.tokens import TokenService
from orcid_sync.simulator.records.damage import Damage
from orcid_sync.simulator.records.forms import complete
from orcid_sync.simulator.records.profiles import Effect, Item, Profiles, RecordState, Source
from orcid_sync.simulator.records.sections import SECTIONS

Json = dict[str, Any]


class Editor(Damage):
    """The edit API. Every method raises UnknownRecord for an iD, and KeyError for an item, that does not exist."""

    def __init__(self, profiles: Profiles, token_service: TokenService, clock: VirtualClock) -> None:
        super().__init__(profiles, clock)
        self._token_service = token_service

    def create_record(self, orcid: str, *, given_names: str | None = None, family_name: str | None = None) -> None:
        """A new, nearly empty record that the indexer has dealt with already. Raises ValueError if the iD is taken."""
        now = self._clock.stamp()
        state = RecordState(orcid=orcid, submitted_ms=now, modified_ms=now, completed_ms=now)
        if given_names is not None:
            content = complete(SECTIONS["name"], {"given-names": given_names, "family-name": family_name})
            state = state.with_item(Item("name", 0, content, Source(orcid=orcid), "public", 0, now, now))
        self._profiles.create(state)

    def add_item(
        self,
        orcid: str,
        section: str,
        content: Mapping[str, Any],
        *,
        source: Source | str | None = None,
        visibility: str = "public",
        display_index: int = 0,
    ) -> int:
        """Add an item; its put-code.

        `source`: a client id, a Source, or None for the researcher. The content may be brief: see `forms.complete`.
        """
        state, shape, now = self._profiles.state(orcid), SECTIONS[section], self._clock.stamp()
        given = {"verified": True, "primary": False, **content} if section == "email" else dict(content)
        put_code = self._profiles.next_put_code(shape.family)
        whole = complete(shape, given)
        item = Item(section, put_code, whole, _source(source, orcid), visibility, display_index, now, now)
        self._profiles.change(state.with_item(item), Effect.INDEXED, at_ms=now)
        return put_code

    def edit_item(self, orcid: str, section: str, put_code: int, changes: Mapping[str, Any]) -> None:
        """Change some members of an item's content."""
        self._change_content(orcid, section, put_code, changes, Effect.INDEXED)

    def recurate_item(self, orcid: str, section: str, put_code: int, changes: Mapping[str, Any]) -> None:
        """Change content without moving any date, as ORCID's organisation data and normalisers do."""
        self._change_content(orcid, section, put_code, changes, Effect.SILENT)

    def remove_item(self, orcid: str, section: str, put_code: int) -> None:
        """Delete an item."""
        state = self._profiles.state(orcid).without_item(section, put_code)
        self._profiles.change(state, Effect.INDEXED, at_ms=self._clock.stamp())

    def set_visibility(self, orcid: str, section: str, put_code: int, visibility: str) -> None:
        """Show or hide an item: public, limited or private."""
        self._replace(orcid, section, put_code, Effect.INDEXED, visibility=visibility)

    def set_display_index(self, orcid: str, section: str, put_code: int, display_index: int) -> None:
        """Prefer another version: dates move, nobody is called."""
        self._replace(orcid, section, put_code, Effect.DATED, display_index=display_index)

    def set_source(self, orcid: str, section: str, put_code: int, source: Source | str | None) -> None:
        """Give an item another source, silently."""
        self._replace(orcid, section, put_code, Effect.SILENT, source=_source(source, orcid))

    def set_name(
        self,
        orcid: str,
        *,
        given_names: str | None,
        family_name: str | None = None,
        credit_name: str | None = None,
        visibility: str = "public",
    ) -> None:
        """Change the name as a whole."""
        content = {"given-names": given_names, "family-name": family_name, "credit-name": credit_name}
        self._set_single(orcid, "name", content, visibility)

    def set_biography(self, orcid: str, content: str | None, *, visibility: str = "public") -> None:
        """Change the biography."""
        self._set_single(orcid, "biography", {"content": content}, visibility)

    def remove_single(self, orcid: str, section: str) -> None:
        """Remove the name or the biography."""
        self.remove_item(orcid, section, 0)

    def set_locale(self, orcid: str, locale: str) -> None:
        """Change the account's language: announced, though hardly anybody sees it."""
        self._set(orcid, Effect.INDEXED, locale=locale)

    def change_settings(self, orcid: str) -> None:
        """Something in the account's settings: the record's date moves, nobody is called."""
        self._set(orcid, Effect.DATED)

    def lock(self, orcid: str) -> None:
        """ORCID's staff lock the record."""
        self._set(orcid, Effect.REINDEXED, locked=True)

    def unlock(self, orcid: str) -> None:
        """The lock is taken away."""
        self._set(orcid, Effect.REINDEXED, locked=False)

    def revoke_access(self, orcid: str, client_id: str) -> int:
        """The researcher takes a client from the list of trusted organisations; how many tokens ended, silently."""
        self._profiles.state(orcid)
        return self._token_service.disable(orcid, "USER_REVOKED", client_id=client_id)

    def unclaim(self, orcid: str, *, creator: str | None = None) -> None:
        """The record was made by a client just now and not claimed yet."""
        self._set(orcid, Effect.SILENT, claimed=False, creator=creator, submitted_ms=self._clock.now_ms())

    def claim(self, orcid: str) -> None:
        """The researcher claims the record."""
        self._set(orcid, Effect.INDEXED, claimed=True)

    def deactivate(self, orcid: str) -> None:
        """The owner deactivates the record: contents and tokens go."""
        now = self._clock.stamp()
        self._set(orcid, Effect.INDEXED, deactivated_ms=now, items={}, verified_email=False)
        self._token_service.disable(orcid, "RECORD_DEACTIVATED")

    def reactivate(self, orcid: str) -> None:
        """The owner comes back to an empty record."""
        self._set(orcid, Effect.INDEXED, deactivated_ms=None, verified_email=True)

    def deprecate(self, orcid: str, primary: str) -> None:
        """Merge a record into its owner's other one; e-mails move there, permissions and webhooks do not."""
        emails = self._profiles.state(orcid).of("email")
        self._set(orcid, Effect.REINDEXED, primary_orcid=primary, items={})
        if emails:
            there = self._profiles.state(primary)
            moved = there.with_section("email", {**there.of("email"), **emails})
            self._profiles.change(moved, Effect.INDEXED, at_ms=self._clock.stamp())

    def rename_client(self, client_id: str, name: str) -> None:
        """The source of its items shows another name; no date moves. Raises KeyError for an unknown client."""
        self._token_service.clients[client_id].name = name
        self._profiles.names_epoch += 1

    def _set_single(self, orcid: str, section: str, content: Json, visibility: str) -> None:
        state, now = self._profiles.state(orcid), self._clock.stamp()
        old = state.of(section).get(0)
        created = old.created_ms if old else now
        whole = complete(SECTIONS[section], content)
        item = Item(section, 0, whole, Source(orcid=orcid), visibility, 0, created, now)
        self._profiles.change(state.with_item(item), Effect.INDEXED, at_ms=now)

    def _change_content(
        self, orcid: str, section: str, put_code: int, changes: Mapping[str, Any], effect: Effect
    ) -> None:
        old = self._profiles.state(orcid).of(section)[put_code].content
        self._replace(orcid, section, put_code, effect, content=complete(SECTIONS[section], {**old, **changes}))


def _source(given: Source | str | None, orcid: str) -> Source:
    if isinstance(given, Source):
        return given
    return Source(orcid=orcid) if given is None else Source(client_id=given)
