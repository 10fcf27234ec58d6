"""`weaver config`: the settings as they would be used, checked, or described as a JSON schema."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from weaver.base.settings import Settings
from weaver.base.sources import load_settings, parse_assignment
from weaver.cli.lazy import imported
from weaver.cli.terminal import printable

_FILE = click.option("-c", "--config", "file", type=click.Path(path_type=Path), help="A TOML file with settings.")
_SET = click.option("--set", "assignments", multiple=True, metavar="A.B=C", help="Any setting.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.group()
def config() -> None:
    """Show, check or describe the settings."""


@config.command()
@_FILE
@_SET
@_JSON
def show(file: Path | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """Print all settings: defaults, then the file, the environment (WEAVER_SECTION__KEY) and --set over them."""
    settings = _settings(file, assignments)
    click.echo(settings.model_dump_json(indent=2) if as_json else as_toml(settings))


@config.command()
@_FILE
@_SET
@_JSON
def check(file: Path | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """Say whether the settings are acceptable; exit code 2 when they are not."""
    # Only the pipeline knows what a seed must be; it is imported for this one question.
    imported("weaver.pipeline:canonical_seeds")(_settings(file, assignments))
    source = str(file) if file else "the settings"
    click.echo(json.dumps({"ok": True, "source": source}) if as_json else f"{printable(source)}: all good")


@config.command()
@click.option("--json", "_as_json", is_flag=True, help="The schema is JSON anyway.")
def schema(_as_json: bool) -> None:
    """Print the JSON schema of the settings."""
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))


def as_toml(settings: Settings) -> str:
    """The settings as TOML that `-c` reads again, each with what it is for; settings that are unset are comments."""
    lines: list[str] = []
    for section in Settings.model_fields:
        lines += ["", f"[{section}]"]
        values = getattr(settings, section)
        for key, inner in type(values).model_fields.items():
            value = getattr(values, key)
            assignment = f"# {key} =" if value is None else f"{key} = {toml_value(value)}"
            lines.append(f"{assignment}  # {inner.description}")
    return "\n".join(lines[1:])


def toml_value(value: Any) -> str:
    """One value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    # JSON's text for strings, numbers and booleans is TOML's too, surrogate pairs aside.
    return json.dumps(value, ensure_ascii=False)


def _settings(file: Path | None, assignments: tuple[str, ...]) -> Settings:
    return load_settings(file, os.environ, [parse_assignment(text) for text in assignments])
