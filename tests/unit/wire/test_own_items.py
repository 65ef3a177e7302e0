"""Which items our own token sees whatever their visibility."""

import pytest

from orcid_sync.model.wire.own_items import is_own

CLIENT = "APP-0000000000000001"


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ('{"source-client-id":{"path":"APP-0000000000000001"}}', True),
        ('{"source-client-id":{"path":"APP-9"},"assertion-origin-client-id":{"path":"APP-0000000000000001"}}', True),
        ('{"source-client-id":{"path":"APP-9"},"source-name":{"value":"APP-0000000000000001"}}', False),
        ('{"source-orcid":{"path":"0000-0002-1825-0097"}}', False),
        ('{"source-client-id":["APP-0000000000000001"]}', False),
        ("null", False),
    ],
)
def test_which_items_our_own_token_sees_anyhow(source: str, own: bool) -> None:  # noqa: FBT001
    assert is_own(b'{"source":%b}' % source.encode(), CLIENT) is own
