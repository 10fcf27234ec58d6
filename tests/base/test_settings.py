"""Where settings come from, which is stronger, and what a user is told who got one wrong."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from weaver.base.errors import SettingsError, WeaverError
from weaver.base.settings import Settings
from weaver.base.sources import known_keys, load_settings, parse_assignment, settings_from

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def toml_file(folder: Path, text: str | bytes) -> Path:
    """A settings file of this content."""
    file = folder / "weaver.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_without_sources_the_defaults_hold() -> None:
    """No file, no environment and no flags give the defaults."""
    assert load_settings() == Settings()


def test_later_sources_are_stronger(tmp_path: Path) -> None:
    """Defaults < earlier settings < file < environment < flags, key by key, the last flag of a key winning."""
    earlier = {
        "politeness": {"delay": 10, "per_host": 10, "max_hosts": 10, "contact": "10"},
        "memory": {"budget": 2 << 20},
    }
    file = toml_file(tmp_path, '[politeness]\ndelay = "20s"\nper_host = 20\nmax_hosts = 20')
    environment = {"WEAVER_POLITENESS__DELAY": "30s", "WEAVER_POLITENESS__PER_HOST": "30"}
    flags = [("politeness.delay", "35s"), ("politeness.delay", "40s")]
    settings = load_settings(file, environment, flags, earlier)
    assert settings.politeness.delay == 40
    assert settings.politeness.per_host == 30
    assert settings.politeness.max_hosts == 20
    assert settings.politeness.contact == "10"
    assert settings.memory.budget == 2 << 20
    assert settings.politeness.max_backoff == Settings().politeness.max_backoff


def test_units_are_read_from_every_source(tmp_path: Path) -> None:
    """Sizes and durations carry units in the file, the environment and the flags."""
    file = toml_file(tmp_path, '[memory]\nbudget = "1GiB"')
    settings = load_settings(file, {"WEAVER_FETCH__TIMEOUT": "2min"}, [("politeness.delay", "200ms")])
    assert settings.memory.budget == 1 << 30
    assert settings.fetch.timeout == 120
    assert settings.politeness.delay == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FETCH__ALLOW_PRIVATE", "true", True),
        ("FETCH__HEADERS", '{a = "b"}', {"a": "b"}),
        ("CRAWL__SEEDS", "http://h/?a=1#b", ("http://h/?a=1#b",)),
        ("CRAWL__SEEDS", '["http://h/", "http://i/"]', ("http://h/", "http://i/")),
        ("SCOPE__PORTS", "8080", (8080,)),
        ("POLITENESS__CONTACT", "2024-01-01", "2024-01-01"),
        ("POLITENESS__USER_AGENT", "7 # seven", "7 # seven"),
        ("POLITENESS__USER_AGENT", '"quoted"', "quoted"),
        ("POLITENESS__USER_AGENT", "x\ny = 2", "x\ny = 2"),
    ],
)
def test_the_environment_writes_toml_or_plain_text(name: str, value: str, expected: object) -> None:
    """A variable's value is TOML where it is one TOML value, and a text setting takes any text as it stands."""
    section, _, key = name.lower().partition("__")
    settings = load_settings(environment={f"WEAVER_{name}": value, "PATH": "/bin", "WEAVER_HOME": "x"})
    assert getattr(getattr(settings, section), key) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[memory]\nbugdet = 1", "unknown setting 'memory.bugdet' (FILE); the nearest known is 'memory.budget'"),
        ("[crawl]\ndelay = 1", "unknown setting 'crawl.delay' (FILE); the nearest known is 'politeness.delay'"),
        ("[politness]\ndelay = 1", "unknown section 'politness' (FILE); the nearest known is 'politeness'"),
        ("delay = 1", "unknown section 'delay' (FILE); the nearest known is 'politeness.delay'"),
        ("xyzzy = 1", "unknown section 'xyzzy' (FILE); known: crawl, dedupe, fetch"),
        ("[url]\nqwzxkkkqwzx = 1", "unknown setting 'url.qwzxkkkqwzx' (FILE); known: drop_parameters, sort_query"),
        ("memory = 5", "memory: expected a section of settings (FILE), got 5"),
        ("[crawl]\nmax_pages = 0", "crawl.max_pages: Input should be greater than or equal to 1, got 0"),
        ("[crawl]\nconcurrency = 5000", "crawl.concurrency: Input should be less than or equal to 4096, got 5000"),
        ('[crawl]\nconcurrency = "many"', "crawl.concurrency: Input should be a valid integer"),
        ("[crawl]\nseeds = [1]", "crawl.seeds: Input should be a valid string, got 1"),
        ('[scope]\nmode = "hots"', "scope.mode: Input should be 'host', 'domain', 'prefix' or 'any', got \"hots\""),
        ('[fetch]\nheaders = ["a"]', 'fetch.headers: Input should be a valid dictionary, got ["a"]'),
        ('[memory]\nbudget = "5 parsecs"', "memory.budget: expected a size such as 256MiB (units: b, k,"),
        ("[memory]\nbudget = -5", "memory.budget: Input should be greater than or equal to 0, got -5"),
        ("[memory]\nbudget = true", "memory.budget: expected a size such as 256MiB"),
        ("[memory]\nbudget = 0", "memory.budget: expected at least 1 MiB, got 0"),
        ('[memory]\nbudget = "1023KiB"', 'memory.budget: expected at least 1 MiB, got "1023KiB"'),
        ("[crawl]\nmax_pages = true", "crawl.max_pages: expected a number, got true"),
        ("[politeness]\nper_host = false", "politeness.per_host: expected a number, got false"),
        ("[fetch]\nmax_ratio = true", "fetch.max_ratio: expected a number, got true"),
        ("[scope]\nports = true", "scope.ports: expected a number, got true"),
        ('[scope]\ninclude = ["a", "("]', "scope.include: expected a regular expression, got '(': missing )"),
        ('[scope]\nexclude = "*"', "scope.exclude: expected a regular expression, got '*': nothing to repeat"),
        ('[scope]\nexclude = "a{99999999999}"', "scope.exclude: expected a regular expression, got 'a{99999999999}'"),
        ('[fetch]\nallow_networks = ["10.0.0.0/8", "lan"]', "fetch.allow_networks: expected a network such as 10.1."),
        ('[fetch]\nallow_networks = "10.0.0.0/33"', "fetch.allow_networks: expected a network such as 10.1.0.0/16"),
        ('[fetch.headers]\nHost = "a"', "fetch.headers: expected the name of a header that can be set, got 'Host'"),
        ('[fetch.headers]\n"a b" = "c"', "fetch.headers: expected the name of a header that can be set, got 'a b'"),
        ('[fetch.headers]\na = "b\\r\\nc: d"', "fetch.headers: expected a value without control characters, got one"),
        ('[politeness]\ndelay = "-1s"', "politeness.delay: expected a duration such as 1.5s (units: ms, s,"),
        ("[politeness]\ndelay = inf", "politeness.delay: expected a duration such as 1.5s"),
        ("[politeness]\ndelay = [1]", "politeness.delay: expected a duration such as 1.5s"),
        ('[persistence]\ncommit_interval = "1s"', "persistence.commit_interval: Input should be less than or equal to"),
        ("[memory\nbudget = 1", "FILE is not valid TOML:"),
        (b"\xff\xfe", "FILE is not valid TOML:"),
    ],
)
def test_a_wrong_file_is_told_in_the_users_words(tmp_path: Path, text: str | bytes, message: str) -> None:
    """An error names the setting, what was expected, what was found, and the nearest known name."""
    file = toml_file(tmp_path, text)
    with pytest.raises(SettingsError, match=re.escape(message.replace("FILE", str(file)))) as caught:
        load_settings(file)
    assert str(caught.value).count(", got ") <= 1


def test_a_wrong_header_keeps_its_secret() -> None:
    """A header's value may be a secret: the error about one names the header and quotes no value."""
    with pytest.raises(SettingsError, match="'Authorization'") as caught:
        settings_from({"fetch": {"headers": {"Authorization": "Bearer hunter2\n", "X-Key": "hunter2"}}})
    assert "hunter2" not in str(caught.value)


def test_what_a_crawl_can_use_is_accepted() -> None:
    """Patterns, networks of both families, single addresses, headers beyond ASCII and the least budget are fine."""
    settings = load_settings(
        flags=[
            ("scope.include", (r"^https://[^/]+/\d+$",)),
            ("fetch.allow_networks", ("10.1.2.3/8", "::1", "fd00::/8")),
            ("fetch.headers", {"X-Name": "caf\u00e9\t1"}),
            ("memory.budget", "1MiB"),
        ]
    )
    assert settings.memory.budget == 1 << 20
    assert settings.fetch.allow_networks == ("10.1.2.3/8", "::1", "fd00::/8")


def test_a_header_that_no_encoding_can_write_is_refused() -> None:
    """Half of a surrogate pair, as a broken environment may hold, can't be sent."""
    with pytest.raises(SettingsError, match=r"fetch\.headers"):
        settings_from({"fetch": {"headers": {"a": "\udc80"}}})


def test_all_wrong_values_are_told_at_once() -> None:
    """A user with two mistakes hears of both."""
    with pytest.raises(SettingsError, match=r"crawl\.max_pages: .*; memory\.budget: "):
        settings_from({"crawl": {"max_pages": 0}, "memory": {"budget": "x"}})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A settings file that can't be read is named with the reason."""
    with pytest.raises(SettingsError, match=r"can't read the settings file .*nowhere\.toml: No such file"):
        load_settings(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match=r"can't read the settings file .*: Is a directory"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WEAVER_MEMRY__BUDGET": "1"}, "unknown section 'memry' (environment); the nearest known is 'memory'"),
        ({"WEAVER_MEMORY__BUGDET": "1"}, "unknown setting 'memory.bugdet' (environment)"),
        ({"WEAVER_MEMORY_BUDGET": "1"}, "unknown variable WEAVER_MEMORY_BUDGET (environment); the nearest known is "),
        ({"WEAVER_MEMORY__BUDGET": "-1"}, "memory.budget: "),
    ],
)
def test_a_wrong_variable_is_told(environment: dict[str, str], message: str) -> None:
    """A variable that means a setting but misses its name is an error, not silence."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        load_settings(environment=environment)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("budget", "unknown section 'budget' (--set budget); the nearest known is 'memory.budget'"),
        ("memory", "unknown setting 'memory.' (--set memory)"),
        (
            "memory.bugdet",
            "unknown setting 'memory.bugdet' (--set memory.bugdet); the nearest known is 'memory.budget'",
        ),
    ],
)
def test_a_wrong_flag_is_told(path: str, message: str) -> None:
    """A flag that names no setting is an error that names the nearest known one."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        load_settings(flags=[(path, 1)])


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("politeness.delay=2s", ("politeness.delay", "2s")),
        (" crawl.max_pages = 5 ", ("crawl.max_pages", 5)),
        ("fetch.cookies=true", ("fetch.cookies", True)),
        ("crawl.seeds=http://h/?a=b", ("crawl.seeds", "http://h/?a=b")),
        ('scope.exclude=["a", "b"]', ("scope.exclude", ["a", "b"])),
        ("politeness.contact=", ("politeness.contact", "")),
    ],
)
def test_an_assignment_is_a_path_and_a_value(text: str, pair: tuple[str, object]) -> None:
    """`section.key=value` splits at its first equals sign."""
    assert parse_assignment(text) == pair


@pytest.mark.parametrize("text", ["", "politeness.delay", "delay=1", "="])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    """Anything else is an error that shows the form."""
    with pytest.raises(SettingsError, match=r"expected section\.key=value, got"):
        parse_assignment(text)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_assignment_raises_anything_else(path: str, value: str) -> None:
    """Whatever is typed after `--set`, the user gets settings or a SettingsError."""
    for name in (path, "politeness.user_agent", "memory.budget", "crawl.seeds", "fetch.headers"):
        try:
            settings = load_settings(flags=[parse_assignment(f"{name}={value}")])
        except SettingsError:
            continue
        assert isinstance(settings, Settings)


def test_settings_do_not_change() -> None:
    """Settings are frozen: a crawl ends under those it began with."""
    with pytest.raises(ValidationError):
        Settings().crawl.concurrency = 1


def test_the_json_schema_describes_every_setting() -> None:
    """The schema can be written as JSON, and each setting in it has a default and says what it is for."""
    schema = json.loads(json.dumps(Settings.model_json_schema()))
    for path in known_keys():
        section, _, key = path.partition(".")
        name = schema["properties"][section].get("$ref") or schema["properties"][section]["allOf"][0]["$ref"]
        described = schema["$defs"][name.rpartition("/")[2]]["properties"][key]
        assert "default" in described, path
        assert described["description"], path


def test_settings_survive_their_own_json() -> None:
    """What is stored of a crawl's settings gives the same settings again."""
    settings = load_settings(CONFIGS / "polite.toml")
    assert settings_from(json.loads(settings.model_dump_json())) == settings
    assert load_settings(base=settings.model_dump()) == settings


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.toml")), ids=lambda file: file.stem)
def test_every_ready_configuration_loads(file: Path) -> None:
    """Each file in configs/ is accepted, and opens with a comment that says whom it is for."""
    assert isinstance(load_settings(file), Settings)
    assert file.read_text(encoding="utf-8").startswith("# ")


def test_the_five_ready_configurations_are_there() -> None:
    """The configurations that the documentation names exist."""
    names = {file.stem for file in CONFIGS.glob("*.toml")}
    assert {"default", "polite", "audit", "container", "demo"} <= names


def test_the_default_configuration_shows_every_setting_with_its_default() -> None:
    """configs/default.toml equals the defaults and names all settings, those without a default behind a `#`."""
    file = CONFIGS / "default.toml"
    text = file.read_text(encoding="utf-8")
    assert load_settings(file) == Settings()
    shown = tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE))
    assert sorted(f"{section}.{key}" for section, keys in shown.items() for key in keys) == known_keys()
    settings_from(shown)


def test_ready_configurations_do_what_they_are_for() -> None:
    """Polite is slower than the default, audit follows nofollow, the demo reaches loopback only."""
    default = Settings()
    polite = load_settings(CONFIGS / "polite.toml")
    audit = load_settings(CONFIGS / "audit.toml")
    demo = load_settings(CONFIGS / "demo.toml")
    assert polite.politeness.delay > default.politeness.delay
    assert polite.crawl.concurrency < default.crawl.concurrency
    assert audit.crawl.nofollow == "follow"
    assert audit.politeness.delay == 0
    assert demo.fetch.allow_networks == ("127.0.0.0/8", "::1/128")
    assert not demo.fetch.allow_private
    assert 0 < demo.politeness.delay < default.politeness.delay


def test_a_settings_error_is_one_of_weavers() -> None:
    """A caller who catches WeaverError catches wrong settings."""
    assert issubclass(SettingsError, WeaverError)
