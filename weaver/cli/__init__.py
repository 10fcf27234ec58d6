"""The command line: it parses, calls and renders; all else is below."""
