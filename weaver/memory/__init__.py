"""Memory in hand: the byte budget and its accounts, and the bounded stores that charge them."""

from weaver.memory.bounded import Bounded, BoundedLRU, StoreStatistics
from weaver.memory.budget import Account, AccountStatistics, Budget, BudgetStatistics
from weaver.memory.ghost import GhostFilter
from weaver.memory.table import KeyTable

__all__ = [
    "Account",
    "AccountStatistics",
    "Bounded",
    "BoundedLRU",
    "Budget",
    "BudgetStatistics",
    "GhostFilter",
    "KeyTable",
    "StoreStatistics",
]
