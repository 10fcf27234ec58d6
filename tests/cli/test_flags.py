"""Flags: each is the setting that it says, and nothing is set that was not given."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from weaver.base.errors import SettingsError
from weaver.base.sources import known_keys, load_settings
from weaver.cli.flags import LIMIT_FLAGS, flag_pairs, setting_flags


def pairs_of(*arguments: str) -> list[tuple[str, object]]:
    """What a command line means."""
    got: list[tuple[str, object]] = []

    @click.command()
    @setting_flags
    def command(**values: object) -> None:
        got.extend(flag_pairs(values))

    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return got


def test_every_flag_is_a_known_setting() -> None:
    """The table of flags names settings that exist."""
    assert {flag.path for flag in LIMIT_FLAGS} <= set(known_keys())


def test_nothing_is_set_that_was_not_given() -> None:
    """Without flags the settings stay as the file and the environment have them."""
    assert pairs_of() == []


def test_flags_become_settings() -> None:
    """Each flag reaches its setting with its unit."""
    pairs = pairs_of(
        "--memory", "64MiB", "--max-pages", "10", "--max-depth", "0", "--scope", "prefix", "--delay", "200ms",
        "--per-host", "2", "--concurrency", "8", "--user-agent", "x", "--contact", "me@a.test", "--allow-private",
        "--include", "a", "--include", "b", "--exclude", "c", "--max-duration", "2m", "--set", "fetch.retries=5",
    )  # fmt: skip
    settings = load_settings(flags=pairs)
    assert settings.memory.budget == 64 << 20
    assert (settings.crawl.max_pages, settings.crawl.max_depth, settings.crawl.concurrency) == (10, 0, 8)
    assert (settings.scope.mode, settings.scope.include, settings.scope.exclude) == ("prefix", ("a", "b"), ("c",))
    assert (settings.politeness.delay, settings.politeness.per_host) == (0.2, 2)
    assert (settings.politeness.user_agent, settings.politeness.contact) == ("x", "me@a.test")
    assert (settings.fetch.allow_private, settings.fetch.retries, settings.crawl.max_duration) == (True, 5, 120.0)


def test_set_wins_over_the_flag_of_the_same_setting() -> None:
    """--set comes last."""
    assert load_settings(flags=pairs_of("--delay", "1s", "--set", "politeness.delay=3s")).politeness.delay == 3.0


def test_an_assignment_without_a_value_is_wrong() -> None:
    """--set wants section.key=value."""
    with pytest.raises(SettingsError):
        pairs_of("--set", "politeness.delay")


def test_a_resumed_crawl_keeps_its_settings_below_the_flags() -> None:
    """The settings that a crawl was started with are the base; flags go over them."""
    base = load_settings(flags=[("politeness.delay", "7s"), ("crawl.max_pages", 5)]).model_dump(mode="json")
    settings = load_settings(flags=[("crawl.max_pages", 9)], base=base)
    assert (settings.politeness.delay, settings.crawl.max_pages) == (7.0, 9)


def test_limits_say_how_they_count() -> None:
    """The help says from where depth is counted, and what a time limit leaves to what is under way."""

    @click.command()
    @setting_flags
    def command(**_values: object) -> None:
        pass

    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "Links away from the nearest seed (redirects not counted)." in text
    assert "what is under way gets 2 s more" in text
