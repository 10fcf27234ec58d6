"""Who weaver says it is: the User-Agent that is sent with each request."""

from __future__ import annotations

from weaver.base.settings import PolitenessSettings
from weaver.base.version import VERSION

NO_CONTACT = "no contact given"


def user_agent(settings: PolitenessSettings) -> str:
    """The User-Agent: the user's own, else `weaver/<version> (+<contact>)`, which owns up to a missing contact.

    Characters that can't stand in a header (RFC 9110 5.5) become spaces, so that no setting can add a header.
    """
    contact = f"+{settings.contact}" if settings.contact else NO_CONTACT
    return _header_text(settings.user_agent or f"weaver/{VERSION} ({contact})")


def _header_text(text: str) -> str:
    printable = "".join(character if " " <= character <= "~" else " " for character in text)
    return " ".join(printable.split())
