"""Reading: the part of a page's way that needs nothing but the page: fetched, parsed and digested."""

from weaver.reading.orders import Orders
from weaver.reading.reading import LocalReader, Reader, Reading
from weaver.reading.workers import Workers

__all__ = ["LocalReader", "Orders", "Reader", "Reading", "Workers"]
