"""The decorator of values that travel between the stages: frozen for the type checker, cheap to build at run time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(of: type[T]) -> type[T]:
    """A slotted dataclass, compared and hashed by its fields, that nobody may write to: mypy sees to it.

    `dataclass(frozen=True)` sees to it at each run, and sets every field by a call: that takes four times as long, and
    a page needs some thirty values.
    """
    return dataclass(slots=True, unsafe_hash=True)(of)
