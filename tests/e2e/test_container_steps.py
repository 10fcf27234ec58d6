"""The container's steps, run as the Dockerfile runs them but without docker: build, install, start, check, stop."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.counting_web import Answer, Hit, counting_web
from tests.support.crawls import ROOT, Left

pytestmark = pytest.mark.slow

STEPS = ROOT / "scripts" / "container"
PAGES = 5_000


@pytest.fixture(scope="module")
def prefix() -> Iterator[Path]:
    """weaver installed from its own wheel, by the container's scripts, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="weaver-container-") as folder:
        place = Path(folder)
        _step("build_wheel.sh", str(place / "wheels"))
        _step("install.sh", str(place / "wheels"), str(place / "prefix"))
        yield place / "prefix"


def _step(script: str, *arguments: str) -> None:
    outcome = subprocess.run(
        ["bash", str(STEPS / script), *arguments], capture_output=True, text=True, timeout=280, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def _environment(prefix: Path, data: Path) -> dict[str, str]:
    """What the image sets, and nothing of this test's own environment."""
    return {"PATH": f"{prefix / 'bin'}:{os.defpath}", "WEAVER_DATA": str(data)}


async def _shell(script: str, environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "sh", str(STEPS / script), *arguments,
        env=environment, cwd="/", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def _is_healthy(environment: dict[str, str]) -> bool:
    check = await _shell("healthcheck.sh", environment)
    await check.communicate()
    return check.returncode == 0


async def _until_healthy(environment: dict[str, str], crawler: asyncio.subprocess.Process) -> None:
    while not await _is_healthy(environment):
        assert crawler.returncode is None, (await crawler.communicate())[0].decode()


def _endless(hit: Hit, _times: int) -> Answer:
    if hit.path == "/robots.txt":
        return Answer(404)
    number = int(hit.path[1:])
    links = "".join(f'<a href="/{child}">x</a>' for child in (2 * number + 1, 2 * number + 2) if child < PAGES)
    return Answer(body=f"<html><title>{number}</title>{links}</html>".encode())


async def test_a_container_drains_on_sigterm_and_goes_on_when_started_again(prefix: Path, tmp_path: Path) -> None:
    """Healthy while it crawls; SIGTERM ends it with a directory that resumes; unhealthy then; the restart resumes."""
    environment = _environment(prefix, tmp_path)
    async with asyncio.timeout(120), counting_web(_endless, latency_s=0.01) as web:
        arguments = ("crawl", f"{web.origins[0]}/0", "--allow-private", "--delay", "0.005")
        crawler = await _shell("entrypoint.sh", environment, *arguments)
        await web.wait_for_hits(20)
        await _until_healthy(environment, crawler)
        crawler.send_signal(signal.SIGTERM)
        output, _ = await crawler.communicate()
        assert crawler.returncode == 130, output.decode()
        assert not await _is_healthy(environment)
        drained = Left(tmp_path / "crawl")
        assert drained.integrity == "ok"
        assert drained.queued > 0

        crawler = await _shell("entrypoint.sh", environment, *arguments)
        await web.wait_for_hits(len(web.hits) + 20)
        crawler.send_signal(signal.SIGTERM)
        output, _ = await crawler.communicate()
        assert crawler.returncode == 130, output.decode()
    assert len(Left(tmp_path / "crawl").pages) > len(drained.pages)
    assert max(web.seen.values()) == 1, "a drained crawl asks for nothing twice"


def _fake(folder: Path, program: str, script: str) -> None:
    """A program of that name that runs a line of shell instead."""
    path = folder / program
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


def _preloaded(tmp_path: Path, **given: str) -> list[str]:
    """LD_PRELOAD and MALLOC_CONF as the entry point hands them to weaver."""
    _fake(tmp_path, "weaver", 'echo "${LD_PRELOAD-}"; echo "${MALLOC_CONF-}"')
    environment = {**_environment(tmp_path, tmp_path), "PATH": f"{tmp_path}:{os.defpath}", **given}
    command = ["sh", str(STEPS / "entrypoint.sh"), "--version"]
    return subprocess.check_output(command, env=environment, text=True, stderr=subprocess.PIPE).splitlines()


def test_the_entry_point_preloads_jemalloc_where_it_is_installed(tmp_path: Path) -> None:
    """jemalloc is found where the system keeps its libraries, with the settings of its record; without it, nothing."""
    installed = [*Path("/usr/lib").glob("*/libjemalloc.so.2"), *Path("/usr/lib").glob("libjemalloc.so.2")]
    preloaded, configuration = _preloaded(tmp_path)
    assert (Path(preloaded) in installed) if installed else not preloaded
    assert configuration.startswith("background_thread:true,dirty_decay_ms:") == bool(installed)


def test_the_user_s_own_allocator_stays(tmp_path: Path) -> None:
    """A LD_PRELOAD that is given, an empty one too, and a MALLOC_CONF that is given are left as they are."""
    assert _preloaded(tmp_path, LD_PRELOAD="")[0] == ""
    assert _preloaded(tmp_path, MALLOC_CONF="narenas:1")[1] == "narenas:1"


@pytest.mark.parametrize(
    ("step", "packages"), [("install_allocator.sh", "libjemalloc2"), ("install_compiler.sh", "gcc libc6-dev")]
)
def test_the_steps_install_what_they_name_and_leave_no_lists(tmp_path: Path, step: str, packages: str) -> None:
    """The image gains its packages and nothing that they only recommend, and keeps no package lists."""
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "index").touch()
    _fake(tmp_path, "apt-get", f'echo "$@" >> {tmp_path / "asked"}')
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "APT_LISTS": str(lists)}
    subprocess.run(["sh", str(STEPS / step)], env=environment, check=True)
    update, install = (tmp_path / "asked").read_text("utf-8").splitlines()
    assert update.startswith("update")
    assert install.endswith(f"--no-install-recommends {packages}")
    assert not list(lists.iterdir())


def test_the_user_s_folder_is_its_own_to_write(tmp_path: Path) -> None:
    """The step that makes the user gives it the data folder, and may be repeated."""
    user, uid = subprocess.check_output(["id", "-un"], text=True).strip(), str(os.getuid())
    for _ in range(2):
        _step("create_user.sh", user, uid, str(tmp_path / "data"))
    assert (tmp_path / "data").stat().st_uid == os.getuid()
    assert os.access(tmp_path / "data", os.W_OK)


def test_the_dockerfile_runs_the_scripts_that_are_tested_here() -> None:
    """Every script that the Dockerfile names exists, each step is one of them, and it does not run as root."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    scripts = set(re.findall(r"(\w+\.sh)", text))
    assert scripts == {path.name for path in STEPS.iterdir()}
    steps = re.findall(r"^RUN (?:ba)?sh (\S+)", text, re.MULTILINE)
    assert len(steps) == text.count("\nRUN ")
    user = re.search(r"^USER (\S+)$", text, re.MULTILINE)
    assert user is not None
    assert user[1] not in ("root", "0")
    for word in ("HEALTHCHECK", "STOPSIGNAL SIGTERM", "VOLUME /data", "ENTRYPOINT"):
        assert word in text


def test_the_image_is_built_of_files_that_are_here() -> None:
    """Whatever the build copies is in the tree and let through to docker, and what the build hook runs is among it."""
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"]
    copied = [
        name
        for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    assert {"hatch_build.py", "scripts/build_native.py", "weaver"} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [name for name in copied if not any(name == one or name.startswith(f"{one}/") for one in let_through)] == []
