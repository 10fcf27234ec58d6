"""Where settings come from: defaults < TOML file < `WEAVER_SECTION__KEY` environment < flags."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from weaver.base.errors import SettingsError
from weaver.base.settings import Settings

ENVIRONMENT_PREFIX = "WEAVER_"

Tree = dict[str, dict[str, Any]]


def load_settings(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Iterable[tuple[str, Any]] = (),
    base: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of one crawl; `flags` are (`section.key`, value) pairs. Raises SettingsError.

    `base` takes the defaults' place: the settings that a resumed crawl was started with.
    """
    tree: Tree = {}
    if base is not None:
        _merge(tree, base, "earlier settings")
    if file is not None:
        _merge(tree, _read_toml(file), str(file))
    if environment is not None:
        _merge(tree, _from_environment(environment), "environment")
    for path, value in flags:
        section, _, key = path.partition(".")
        _merge(tree, {section: {key: value}}, f"--set {path}")
    return settings_from(tree)


def settings_from(tree: Mapping[str, Any]) -> Settings:
    """Settings from a nested mapping, errors told in the user's words."""
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_in_words(error)) from error


def known_keys() -> list[str]:
    """Every `section.key`, sorted."""
    return sorted(f"{section}.{key}" for section in Settings.model_fields for key in _fields_of(section))


def parse_assignment(text: str) -> tuple[str, Any]:
    """`politeness.delay=2s` as a pair; the value is TOML where it is valid TOML, else text."""
    path, equals, value = text.partition("=")
    if not equals or "." not in path:
        raise SettingsError(f"expected section.key=value, got {text!r}")
    section, _, key = path.strip().partition(".")
    return path.strip(), _typed(section, key, value.strip())


def _typed(section: str, key: str, text: str) -> Any:
    """The value that `text` writes: TOML where it is one valid value, else, and for a text setting, as it stands."""
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = document["value"] if len(document) == 1 else text
    field = _fields_of(section).get(key)
    return text if field is not None and field.annotation is str and not isinstance(value, str) else value


def _read_toml(file: Path) -> Tree:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise SettingsError(f"can't read the settings file {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> Tree:
    tree: Tree = {}
    known = {path.replace(".", "_"): path for path in known_keys()}
    for name, value in environment.items():
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        section, double, key = path.partition("__")
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        if double:
            tree.setdefault(section, {})[key] = _typed(section, key, value)
        elif path in known:
            written = ENVIRONMENT_PREFIX + known[path].replace(".", "__").upper()
            raise SettingsError(f"unknown variable {name} (environment); the nearest known is '{written}'")
    return tree


def _fields_of(section: str) -> dict[str, FieldInfo]:
    outer = Settings.model_fields.get(section)
    fields: dict[str, FieldInfo] = getattr(outer.annotation, "model_fields", {}) if outer is not None else {}
    return fields


def _merge(tree: Tree, layer: Mapping[str, Any], source: str) -> None:
    for section, values in layer.items():
        fields = _fields_of(section)
        if not fields:
            raise SettingsError(f"unknown section {section!r} ({source}); {_nearest(section)}")
        if not isinstance(values, dict):
            raise SettingsError(f"{section}: expected a section of settings ({source}), got {values!r}")
        for key, value in values.items():
            if key not in fields:
                nearest = _nearest(f"{section}.{key}")
                raise SettingsError(f"unknown setting '{section}.{key}' ({source}); {nearest}")
            # A list typed for one value is what TOML and people both write.
            wants_list = "tuple" in str(fields[key].annotation)
            tree.setdefault(section, {})[key] = (value,) if wants_list and isinstance(value, (str, int)) else value


def _nearest(name: str) -> str:
    """What the user may have meant: the same key of another section, else what is spelt alike, else all there is."""
    section, dot, key = name.rpartition(".")
    settings = known_keys()
    names = settings if dot else [*Settings.model_fields, *settings]
    same_key = [setting for setting in settings if setting.rpartition(".")[2] == key]
    close = same_key or difflib.get_close_matches(name, names, 1, 0.5)
    if close:
        return f"the nearest known is '{close[0]}'"
    return f"known: {', '.join(sorted(_fields_of(section) or Settings.model_fields))}"


def _in_words(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"][:2])
        message = item["msg"].removeprefix("Value error, ")
        got = "" if ", got " in message else f", got {json.dumps(item['input'], default=str)}"
        lines.append(f"{path}: {message}{got}")
    return "; ".join(lines)
