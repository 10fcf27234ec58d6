"""nginx on loopback: an ordinary process with a throw-away prefix, serving folders for as long as a block runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_READY_TIMEOUT_S = 10.0
_SYSTEM_FOLDERS = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/sbin"))

_CONFIGURATION = """\
daemon off;
master_process off;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log {access_log};
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    log_format timed '$msec $server_addr:$server_port "$request" $status $connection';
    keepalive_requests 1000000;
    absolute_redirect off;
    default_type application/octet-stream;
    types {{
        text/html html htm shtml;
        text/css css;
        text/plain txt;
        application/xml xml;
        application/javascript js;
        image/png png;
        image/svg+xml svg;
        image/gif gif;
        image/jpeg jpg jpeg;
        application/pdf pdf;
    }}
{servers}
}}
"""
_SERVER = """\
    server {{
        listen {address}:{port};
        root "{root}";
        index index.html;
        {extra}
    }}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """One server: where it listens, the folder it serves, and further directives for its block.

    Port 0 takes a free one.
    """

    address: str
    port: int
    root: Path
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx: its sites with their real ports, and its files."""

    sites: tuple[Site, ...]
    prefix: Path

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(f"http://{site.address}:{site.port}" for site in self.sites)

    @property
    def access_log(self) -> Path:
        """One line a request: time in s, server, request line, status, connection (empty unless asked for)."""
        return self.prefix / "access.log"


@contextlib.contextmanager
def nginx(sites: Sequence[Site], *, is_logging: bool = False) -> Iterator[Nginx]:
    """Serve `sites` until the block ends. Raises RuntimeError, with nginx's own words, if it won't start."""
    program = shutil.which("nginx") or shutil.which("nginx", path=_SYSTEM_FOLDERS)
    if program is None:
        raise RuntimeError("this machine has no nginx")
    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        server = Nginx(tuple(_with_port(site) for site in sites), Path(folder))
        configuration = server.prefix / "nginx.conf"
        configuration.write_text(_configured(server, is_logging=is_logging), "utf-8")
        command = [program, "-p", folder, "-c", str(configuration), "-e", str(server.prefix / "error.log")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_until_ready(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=_READY_TIMEOUT_S)


def _configured(server: Nginx, *, is_logging: bool) -> str:
    servers = "".join(
        _SERVER.format(address=site.address, port=site.port, root=site.root, extra=site.extra) for site in server.sites
    )
    access_log = f"{server.access_log} timed" if is_logging else "off"
    return _CONFIGURATION.format(prefix=server.prefix, servers=servers, access_log=access_log)


def _with_port(site: Site) -> Site:
    if site.port:
        return site
    with socket.create_server((site.address, 0)) as probe:
        return Site(site.address, probe.getsockname()[1], site.root, site.extra)


def _wait_until_ready(server: Nginx, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    for site in server.sites:
        while not _is_listening(site):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not start: {(server.prefix / 'error.log').read_text('utf-8')[-2000:]}")
            time.sleep(0.01)


def _is_listening(site: Site) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((site.address, site.port), timeout=1):
        return True
    return False
