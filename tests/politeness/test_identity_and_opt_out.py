"""Who weaver says it is, and whom it leaves alone for good."""

from __future__ import annotations

import pytest

from weaver.base.settings import PolitenessSettings
from weaver.base.version import VERSION
from weaver.politeness.identity import user_agent
from weaver.politeness.opt_out import OptOut


def test_the_user_agent_names_version_and_contact() -> None:
    """Site owners learn what visits them, and whom to write to."""
    assert user_agent(PolitenessSettings(contact="https://x.org/bot")) == f"weaver/{VERSION} (+https://x.org/bot)"


def test_a_missing_contact_is_admitted() -> None:
    """Without a contact the User-Agent says so."""
    assert user_agent(PolitenessSettings()) == f"weaver/{VERSION} (no contact given)"


def test_the_users_own_user_agent_is_sent_as_it_is() -> None:
    """A setting replaces the whole text."""
    assert user_agent(PolitenessSettings(user_agent="Mine/2 (+me@x.org)")) == "Mine/2 (+me@x.org)"


def test_no_setting_can_add_a_header() -> None:
    """Control characters and letters outside ASCII never reach the wire."""
    assert user_agent(PolitenessSettings(user_agent="a\r\nX-Evil: 1\x00ü")) == "a X-Evil: 1"


@pytest.mark.parametrize(
    "entry", ["example.com", "*.example.com", ".example.com", "EXAMPLE.com", "https://example.com/x", "example.com."]
)
def test_an_entry_covers_the_host_and_its_subdomains(entry: str) -> None:
    """However it is written, an entry covers the host, every port and scheme of it, and what lies below."""
    opt_out = OptOut([entry])
    for origin in ("http://example.com", "https://example.com:8443", "http://a.b.example.com", "http://example.com."):
        assert opt_out.covers(origin)
    for origin in ("http://example.org", "http://notexample.com", "http://com"):
        assert not opt_out.covers(origin)


def test_names_are_compared_as_the_wire_has_them() -> None:
    """International names match in either form; addresses match whole."""
    assert OptOut(["münchen.de"]).covers("http://www.xn--mnchen-3ya.de")
    assert OptOut(["127.0.0.1"]).covers("http://127.0.0.1:8000")
    assert not OptOut(["0.0.1"]).covers("http://127.0.0.2")
    assert OptOut(["[::1]"]).covers("http://[::1]:80")


def test_nonsense_covers_nothing() -> None:
    """An entry that names no host is passed over."""
    opt_out = OptOut(["", "  ", "ftp://x.org/", "http://"])
    assert len(opt_out) == 0
    assert not opt_out.covers("http://x.org")
