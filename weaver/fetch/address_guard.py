"""Which network addresses may be visited: a frozen table of prefixes, and the unwrapping of those that hide another.

`ipaddress.is_global` is not asked: its answers differ between Python versions, and it lets cloud metadata
addresses through. The table follows the IANA special-purpose registries (RFC 6890 and later) and refuses what is
not plainly public. An address that carries an IPv4 address inside is as public as the one inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from weaver.base.errors import SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED_V4: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-grade NAT; holds Alibaba's metadata service"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "Azure's host agent"),
    ("169.254.0.0/16", "link-local; holds the metadata services"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments; holds Oracle's metadata service"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relays, withdrawn"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved, broadcast"),
)

# Only 2000::/3 is handed out as public IPv6; of it, these are not.
_PUBLIC_V6 = IPv6Network("2000::/3")
_REFUSED_V6: tuple[tuple[str, str], ...] = (
    ("2001::/23", "protocol assignments"),
    ("2001:db8::/32", "documentation"),
    ("3ffe::/16", "6bone, withdrawn"),
    ("3fff::/20", "documentation"),
)


def _low_32(value: int) -> tuple[int, ...]:
    return (value & 0xFFFF_FFFF,)


def _6to4(value: int) -> tuple[int, ...]:
    return ((value >> 80) & 0xFFFF_FFFF,)


def _teredo(value: int) -> tuple[int, ...]:
    # RFC 4380, 4: the server, and the client with its bits inverted.
    return ((value >> 64) & 0xFFFF_FFFF, ~value & 0xFFFF_FFFF)


_WRAPPINGS: tuple[tuple[IPv6Network, Callable[[int], tuple[int, ...]]], ...] = (
    (IPv6Network("::ffff:0:0/96"), _low_32),  # IPv4-mapped, RFC 4291
    (IPv6Network("::ffff:0:0:0/96"), _low_32),  # IPv4-translated, RFC 2765
    (IPv6Network("64:ff9b::/96"), _low_32),  # NAT64, RFC 6052
    (IPv6Network("2002::/16"), _6to4),  # RFC 3056
    (IPv6Network("2001::/32"), _teredo),
)
_ISATAP_MARKS = (0x0000_5EFE, 0x0200_5EFE)  # RFC 5214: any prefix, then this, then an IPv4 address

_REFUSED_NETWORKS_V4 = tuple(IPv4Network(prefix) for prefix, _ in _REFUSED_V4)
_REFUSED_NETWORKS_V6 = tuple(IPv6Network(prefix) for prefix, _ in _REFUSED_V6)


def parse_address(text: str) -> Address | None:
    """The address as a socket would read it, its IPv6 zone left out; None where the text is none."""
    bare = text.partition("%")[0]
    try:
        return IPv6Address(bare) if ":" in bare else IPv4Address(bare)
    except AddressValueError:
        return None


def is_public(address: Address, allowed: tuple[Network, ...] = ()) -> bool:
    """Whether packets to the address, and to every address wrapped in it, leave for the public internet.

    What lies in an `allowed` network counts as public.
    """
    if any(address in network for network in allowed):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_NETWORKS_V4)
    wrapped = list(_unwrapped(address))
    is_outside_public = wrapped or (address in _PUBLIC_V6 and not any(address in net for net in _REFUSED_NETWORKS_V6))
    return bool(is_outside_public) and all(is_public(inner, allowed) for inner in (*wrapped, *_isatap(address)))


def _unwrapped(address: IPv6Address) -> Iterator[IPv4Address]:
    for network, inner in _WRAPPINGS:
        if address in network:
            yield from (IPv4Address(value) for value in inner(int(address)))


def _isatap(address: IPv6Address) -> Iterator[IPv4Address]:
    value = int(address)
    if (value >> 32) & 0xFFFF_FFFF in _ISATAP_MARKS:
        yield IPv4Address(value & 0xFFFF_FFFF)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks that a user allows. Raises SettingsError, naming the one that is none."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError as error:
            raise SettingsError(
                f"fetch.allow_networks: expected a network such as 10.1.0.0/16, got {text!r}"
            ) from error
    return tuple(networks)


class AddressGuard:
    """Says of an address whether the crawl may connect to it. Pure: it resolves and connects nothing."""

    def __init__(self, *, allow_private: bool = False, allow_networks: Iterable[str] = ()) -> None:
        self._allow_private = allow_private
        self._networks = parse_networks(allow_networks)

    def __repr__(self) -> str:
        return f"AddressGuard(allow_private={self._allow_private}, networks={len(self._networks)})"

    def allows(self, text: str) -> bool:
        """Whether the address in `text` may be visited; what is no address may not."""
        address = parse_address(text)
        return address is not None and (self._allow_private or is_public(address, self._networks))
