"""The parse stage: what a response says, and where it points; pure, and safe with any bytes."""

from weaver.parse.html import parse_page, peak_bytes

__all__ = ["parse_page", "peak_bytes"]
