"""The compiled module, where there is one; below all stages, which keep a twin in Python of what they take from it."""

from weaver.native.loading import INTERFACE, compiled, description

__all__ = ["INTERFACE", "compiled", "description"]
