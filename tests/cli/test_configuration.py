"""`weaver config`: shown as TOML that can be read again, checked with an exit code, described as a schema."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from click.testing import CliRunner

from weaver.base.settings import Settings
from weaver.base.sources import load_settings
from weaver.cli.configuration import as_toml
from weaver.cli.main import cli


def run(*arguments: str, **environment: str):  # type: ignore[no-untyped-def]
    """`weaver config` with these arguments."""
    return CliRunner().invoke(cli, ["config", *arguments], env=environment)


def test_what_is_shown_is_read_again_as_the_same(tmp_path: Path) -> None:
    """`config show > file` gives a file that means what was shown."""
    flags = [("scope.include", (r"^http://a/\d+", 'say "hi"')), ("fetch.headers", {"X-A": "b"}), ("crawl.max_depth", 3)]
    settings = load_settings(flags=flags)
    file = tmp_path / "weaver.toml"
    file.write_text(as_toml(settings))
    assert load_settings(file) == settings
    assert set(tomllib.loads(file.read_text())) == set(Settings.model_fields)


def test_show_merges_file_environment_and_assignments(tmp_path: Path) -> None:
    """The later source wins: file, then environment, then --set."""
    file = tmp_path / "weaver.toml"
    file.write_text('[politeness]\ndelay = "3s"\nper_host = 2\ncontact = "a@b.test"\n')
    result = run(
        "show", "-c", str(file), "--set", "politeness.per_host=4", "--json",
        WEAVER_POLITENESS__DELAY="5s", WEAVER_POLITENESS__PER_HOST="3",
    )  # fmt: skip
    politeness = json.loads(result.output)["politeness"]
    assert (politeness["delay"], politeness["per_host"], politeness["contact"]) == (5.0, 4, "a@b.test")


def test_check_says_what_is_wrong_and_what_was_meant() -> None:
    """An unknown key is wrong use: exit code 2, and the nearest known key is named."""
    result = run("check", "--set", "politeness.dealy=1s")
    assert result.exit_code == 2
    assert "politeness.delay" in result.stderr
    assert run("check").exit_code == 0


def test_check_tells_a_bad_seed() -> None:
    """A seed that no crawl could start from is told by the check already, as wrong use."""
    result = run("check", "--set", "crawl.seeds=ftp://a.test/")
    assert result.exit_code == 2
    assert "expected an absolute http(s) URL" in result.stderr
    assert run("check", "--set", "crawl.seeds=http://a.test/").exit_code == 0


def test_check_as_json_is_a_document(tmp_path: Path) -> None:
    """`config check --json` prints one document."""
    assert json.loads(run("check", "--json").output)["ok"] is True


def test_the_schema_describes_every_section() -> None:
    """`config schema` is a JSON schema with all sections."""
    assert set(json.loads(run("schema").output)["properties"]) == set(Settings.model_fields)
