"""Which addresses a push may be sent to: those of the internet, and those of networks that somebody allowed.

Whoever adds a subscription says where requests of ours go. Without this, they would reach what only our side of the
firewall reaches: databases, administration pages, the metadata services of clouds, which give out credentials (server
side request forgery, OWASP). What is refused is an address, after the name was resolved and whatever notation it had;
names prove nothing.
"""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's registries of special-purpose addresses, and what is special without being listed there. Said in full, since
# what Python calls private or global differs between its versions.
REFUSED: dict[str, str] = {
    "0.0.0.0/8": "this host",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by carriers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "special",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/128": "this host",
    "::1/128": "loopback",
    "64:ff9b:1::/48": "private",
    "100::/64": "discarded",
    "2001::/23": "special",
    "2001:db8::/32": "documentation",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "private",
    "ff00::/8": "multicast",
}

METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")
"""Services that tell a cloud's machines their credentials. No setting allows them: a network holds them by mistake."""

# IPv6 addresses that stand for one of IPv4: its place in them, as the number of bits to the right of it.
_EMBEDDING: dict[str, int] = {
    "::/96": 0,  # IPv4-compatible
    "::ffff:0:0/96": 0,  # IPv4-mapped
    "::ffff:0:0:0/96": 0,  # IPv4-translated
    "64:ff9b::/96": 0,  # NAT64
    "2002::/16": 80,  # 6to4
}

_REFUSED: list[tuple[Network, str]] = [(ip_network(text), kind) for text, kind in REFUSED.items()]
_METADATA = frozenset(ip_address(text) for text in METADATA)
_EMBEDDED: list[tuple[Network, int]] = [(ip_network(text), bits) for text, bits in _EMBEDDING.items()]


def refusal(text: str, allowed: Collection[Network] = ()) -> str | None:
    """Why no request may go to this address, in a word or two; None if it may.

    `allowed` are networks that count as safe. Raises ValueError if it is no address.
    """
    address = _meant(ip_address(text.partition("%")[0]))  # the rest names an interface of ours
    if address in _METADATA:
        return "metadata of a cloud"
    if any(address in network for network in allowed):
        return None
    return next((kind for network, kind in _REFUSED if address in network), None)


def _meant(address: Address) -> Address:
    """The address itself, or the one of IPv4 that it stands for."""
    bits = next((bits for network, bits in _EMBEDDED if address in network), None)
    if bits is None or int(address) <= 1:  # :: and ::1 are their own
        return address
    return IPv4Address((int(address) >> bits) & 0xFFFF_FFFF)
