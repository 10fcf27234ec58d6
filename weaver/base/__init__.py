"""The ground floor: values, URL, settings, errors, clock, events. Imports nothing of weaver above it."""
