"""What to fetch next: known URLs and their ids, the scope, and the queue of each host."""

from weaver.frontier.depths import Depths
from weaver.frontier.discovery import Discovered, Discovery, Finding
from weaver.frontier.frontier import ColdQueue, Frontier, Lease
from weaver.frontier.host_ids import HostIds
from weaver.frontier.href_cache import HrefCache
from weaver.frontier.refused import Refused
from weaver.frontier.scope import DUPLICATE_LINKS, NOFOLLOW, PROMOTABLE, SCOPE_REASONS, TOO_DEEP, Scope
from weaver.frontier.seen import Seen

__all__ = [
    "DUPLICATE_LINKS",
    "NOFOLLOW",
    "PROMOTABLE",
    "SCOPE_REASONS",
    "TOO_DEEP",
    "ColdQueue",
    "Depths",
    "Discovered",
    "Discovery",
    "Finding",
    "Frontier",
    "HostIds",
    "HrefCache",
    "Lease",
    "Refused",
    "Scope",
    "Seen",
]
