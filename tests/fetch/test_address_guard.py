"""The address guard: which addresses are public, however they are written or wrapped."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.base.errors import SettingsError
from weaver.fetch.address_guard import AddressGuard, is_public, parse_address


def _words(text: str) -> list[str]:
    return text.split()


PRIVATE_V4 = _words("""
0.0.0.0 0.0.0.1 0.1.2.3 0.255.255.255
10.0.0.0 10.0.0.1 10.1.2.3 10.255.255.255
100.64.0.0 100.64.0.1 100.100.100.200 100.127.255.255
127.0.0.0 127.0.0.1 127.0.0.2 127.0.1.1 127.1.1.1 127.255.255.255
168.63.129.16
169.254.0.0 169.254.0.1 169.254.1.1 169.254.169.253 169.254.169.254 169.254.170.2 169.254.255.255
172.16.0.0 172.16.0.1 172.17.0.1 172.20.10.1 172.31.255.255
192.0.0.0 192.0.0.1 192.0.0.8 192.0.0.9 192.0.0.10 192.0.0.170 192.0.0.171 192.0.0.192 192.0.0.255
192.0.2.0 192.0.2.1 192.0.2.255
192.88.99.0 192.88.99.1 192.88.99.2 192.88.99.255
192.168.0.0 192.168.0.1 192.168.1.1 192.168.178.1 192.168.255.255
198.18.0.0 198.18.0.1 198.19.255.255
198.51.100.0 198.51.100.1 198.51.100.255
203.0.113.0 203.0.113.1 203.0.113.255
224.0.0.0 224.0.0.1 224.0.0.251 239.255.255.250 239.255.255.255
240.0.0.0 240.0.0.1 250.1.2.3 255.255.255.254 255.255.255.255
""")

PRIVATE_V6 = _words("""
:: ::1 ::2 0:0:0:0:0:0:0:1 0000:0000:0000:0000:0000:0000:0000:0001 ::1%lo ::1%1 fe80::1%eth0
::127.0.0.1 ::10.0.0.1 ::8.8.8.8
fe80:: fe80::1 fe80::a9fe:a9fe febf::1
fc00:: fc00::1 fd00::1 fd00:ec2::254 fd12:3456:789a::1 fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
fec0:: fec0::1 feff::1
ff00:: ff01::1 ff02::1 ff02::fb ff05::1:3 ff0e::1
100:: 100::1 100:0:0:1::1
2001:: 2001::1 2001:1::1 2001:1::2 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1 2001:20::1 2001:30::1 2001:1ff::1
2001:db8:: 2001:db8::1 2001:db8:ffff::1 3fff::1 3fff:fff::1 3ffe::1
5f00::1 4000::1 8000::1 1000::1 200::1 e000::1 64:ff9b:1::1 64:ff9b:1::8.8.8.8
64:ff9b:0:1::1 ::ffff:0:0 1::1
""")

PUBLIC_V4 = _words("""
1.0.0.1 1.1.1.1 8.8.8.8 9.9.9.9 11.0.0.0 9.255.255.255 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0
192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255 93.184.216.34
168.63.129.15 168.63.129.17 192.31.196.1 192.175.48.1
""")

PUBLIC_V6 = _words("""
2000::1 2001:200::1 2001:4860:4860::8888 2606:4700:4700::1111 2620:fe::fe 2a00:1450:4001:80b::200e 3fff:1000::1 2003::1
3ffd::1 2001:db9::1
""")


def _wrapped(inner: str) -> list[str]:
    value = int(IPv4Address(inner))
    high, low = value >> 16, value & 0xFFFF
    inverted = ~value & 0xFFFF_FFFF
    return [
        f"::ffff:{inner}",
        f"::ffff:{high:x}:{low:x}",
        f"0:0:0:0:0:FFFF:{high:04X}:{low:04X}",
        f"::ffff:0:{inner}",
        f"64:ff9b::{inner}",
        f"64:ff9b::{high:x}:{low:x}",
        f"2002:{high:x}:{low:x}::",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:808:808::{inverted >> 16:x}:{inverted & 0xFFFF:x}",
        f"2001:0:{high:x}:{low:x}:0:0:f7f7:f7f7",
        f"2a00:1450::5efe:{high:x}:{low:x}",
        f"2a00:1450::200:5efe:{high:x}:{low:x}",
        f"::ffff:{inner}%eth0",
    ]


WRAPPED_INSIDE = _words("127.0.0.1 10.0.0.1 169.254.169.254 192.0.0.192 100.100.100.200 192.168.1.1 0.0.0.0")
PRIVATE_WRAPPED = [address for inner in WRAPPED_INSIDE for address in _wrapped(inner)]
PRIVATE = PRIVATE_V4 + PRIVATE_V6 + PRIVATE_WRAPPED


def test_the_table_is_long_enough() -> None:
    """More than 200 private addresses are tried, in every family and wrapping."""
    assert len(set(PRIVATE)) >= 200


@pytest.mark.parametrize("address", sorted(set(PRIVATE)))
def test_a_private_address_is_refused(address: str) -> None:
    """What is not plainly public is refused, wrapped or not, with a zone or without."""
    assert not AddressGuard().allows(address)


@pytest.mark.parametrize("address", PUBLIC_V4 + PUBLIC_V6)
def test_a_public_address_is_allowed(address: str) -> None:
    """The neighbours of each refused range, and well-known servers, may be visited."""
    assert AddressGuard().allows(address)


@pytest.mark.parametrize("address", _wrapped("8.8.8.8"))
def test_a_wrapped_public_address_is_allowed(address: str) -> None:
    """An address that carries a public IPv4 address is public: NAT64 networks reach the web through it."""
    assert AddressGuard().allows(address)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "[::1]", "1.2.3.4.5", "::g", "10.0.0.1:80"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A text that is not one plain address is never taken for a public one, not even where all private ones are."""
    assert parse_address(text) is None
    assert not AddressGuard(allow_private=True).allows(text)


@given(st.ip_addresses(v=4))
def test_wrapping_changes_no_verdict(address: IPv4Address) -> None:
    """Every IPv4 address gets the same verdict bare, IPv4-mapped, and behind NAT64 or 6to4."""
    verdict = is_public(address)
    value = int(address)
    assert is_public(IPv6Address((0xFFFF << 32) | value)) == verdict
    assert is_public(IPv6Address((0x64FF9B << 96) | value)) == verdict
    assert is_public(IPv6Address((0x2002 << 112) | (value << 80) | 1)) == verdict


@given(st.ip_addresses(v=6))
def test_outside_global_unicast_only_wrappings_are_public(address: IPv6Address) -> None:
    """Nothing outside 2000::/3 is public unless it carries an IPv4 address."""
    wrappings = (0xFFFF, 0x64FF9B << 64, 0xFFFF << 16)
    if int(address) >> 125 != 1 and int(address) >> 32 not in wrappings:
        assert not is_public(address)


def test_allowed_networks_open_only_themselves() -> None:
    """A private network that the user allows may be visited, its neighbours may not."""
    guard = AddressGuard(allow_networks=("10.1.0.0/16", "fd00:1::/32", "192.168.7.7"))
    assert guard.allows("10.1.2.3")
    assert guard.allows("::ffff:10.1.2.3")
    assert guard.allows("fd00:1::5")
    assert guard.allows("192.168.7.7")
    assert not guard.allows("10.2.0.1")
    assert not guard.allows("::ffff:10.2.0.1")
    assert not guard.allows("2001:0:a01:203::f5fd:fffe")
    assert not guard.allows("fd00:2::5")
    assert not guard.allows("127.0.0.1")


def test_allow_private_opens_all() -> None:
    """`allow_private` lets every address through: tests and intranets need it."""
    assert all(AddressGuard(allow_private=True).allows(address) for address in PRIVATE)


def test_a_wrong_network_is_named() -> None:
    """A network that is none is the user's error, told with what was given."""
    with pytest.raises(SettingsError, match=r"10\.0\.0\.0/99"):
        AddressGuard(allow_networks=("10.0.0.0/99",))
