"""Politeness: what each host's owner asked for, and when the host may be asked again."""

from weaver.politeness.decision import Decision
from weaver.politeness.delay import is_local_limit
from weaver.politeness.gate import Gate, GateStatistics
from weaver.politeness.host_state import HostStore
from weaver.politeness.identity import user_agent

__all__ = ["Decision", "Gate", "GateStatistics", "HostStore", "is_local_limit", "user_agent"]
