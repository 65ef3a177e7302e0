"""Our own items: those of which our client is the source. Our own token sees them whatever their visibility."""

from contextlib import suppress

import msgspec
from msgspec import Struct

from orcid_sync.model.wire import lenient
from orcid_sync.model.wire.orcid_json import Source


class _Sourced(Struct):
    source: Source | None = None


def is_own(doc: bytes, client_id: str) -> bool:
    """Whether our client is the item's source, or asserted it through another one (contract section 3.4)."""
    source = None
    with suppress(msgspec.DecodeError):
        source = lenient.decode(doc, _Sourced).source
    if source is None:
        return False
    clients = (source.source_client_id, source.assertion_origin_client_id)
    return any(client is not None and client.path == client_id for client in clients)
