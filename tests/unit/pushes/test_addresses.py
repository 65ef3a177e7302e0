"""Which addresses a push may go to: every special range of IPv4 and IPv6 is refused, in whatever notation."""

from ipaddress import ip_network

import pytest

from orcid_sync.model.pushes.allowed_addresses import METADATA, REFUSED, refusal

INTERNET = ["8.8.8.8", "1.1.1.1", "130.225.0.1", "172.15.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1"]

NOTATIONS = {
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.0.0.1": "private",
    "::ffff:7f00:1": "loopback",
    "::127.0.0.1": "loopback",
    "::ffff:0:192.168.1.1": "private",
    "64:ff9b::10.0.0.1": "private",
    "2002:7f00:1::": "loopback",
    "2002:a00:1::1": "private",
    "fe80::1%eth0": "link-local",
    "::": "this host",
    "::1": "loopback",
    "::2": "this host",  # 0.0.0.2
    "::ffff:169.254.169.254": "metadata of a cloud",
    "2002:a9fe:a9fe::1": "metadata of a cloud",
    "64:ff9b::a9fe:a9fe": "metadata of a cloud",
}


@pytest.mark.parametrize("text", REFUSED)
def test_the_whole_of_each_special_range_is_refused(text: str) -> None:
    network = ip_network(text)
    for address in {network[0], network[-1], network[network.num_addresses // 2]}:
        assert refusal(str(address)) is not None


@pytest.mark.parametrize("text", INTERNET)
def test_the_internet_is_reached(text: str) -> None:
    assert refusal(text) is None


@pytest.mark.parametrize(("text", "kind"), NOTATIONS.items())
def test_an_address_of_ipv4_inside_one_of_ipv6_is_judged_as_what_it_means(text: str, kind: str) -> None:
    assert refusal(text) == kind


def test_an_address_of_the_internet_may_be_written_as_ipv6() -> None:
    assert refusal("::ffff:8.8.8.8") is None
    assert refusal("64:ff9b::8.8.8.8") is None


@pytest.mark.parametrize(
    ("text", "allowed", "reached"),
    [
        ("10.20.3.4", "10.20.0.0/16", True),
        ("10.21.3.4", "10.20.0.0/16", False),
        ("::ffff:10.20.3.4", "10.20.0.0/16", True),
        ("fd12::1", "fd12::/16", True),
        ("127.0.0.1", "127.0.0.0/8", True),
        ("::1", "127.0.0.0/8", False),
        ("::1", "::1/128", True),
        ("::1", "0.0.0.0/8", False),
        ("::ffff:10.0.0.1", "10.0.0.1/32", True),  # to the last bit
        ("2002:a00:1::", "10.0.0.1/32", True),
        ("::ffff:10.0.0.1", "10.0.0.0/32", False),
    ],
)
def test_a_network_of_ones_own_can_be_allowed(text: str, allowed: str, *, reached: bool) -> None:
    assert (refusal(text, [ip_network(allowed)]) is None) == reached


@pytest.mark.parametrize("text", METADATA)
def test_what_gives_out_credentials_is_never_allowed(text: str) -> None:
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert refusal(text, everything) == "metadata of a cloud"
    if ":" not in text:
        assert refusal(f"::ffff:{text}", everything) == "metadata of a cloud"


@pytest.mark.parametrize("text", ["2130706433", "127.1", "0x7f.0.0.1", "localhost", ""])
def test_what_is_no_address_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError):
        refusal(text)
