"""The crawlers that are measured beside each other; each is a process of its own that prints one JSON line."""
