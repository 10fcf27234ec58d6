"""TLS: what does not verify is refused with a reason, what never ends runs into the time for connecting."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.fetching import failure_of, fetching, response_to
from tests.support.hostile_server import WAIT, HostileServer, answer

pytestmark = [pytest.mark.needs("openssl"), pytest.mark.slow]

OK = answer(b"hi")
NAME = "weaver.example"


@dataclass(frozen=True)
class Authority:
    """A throw-away certificate authority in a folder."""

    folder: Path

    def server_context(self, name: str, *, days: int = 2, is_self_signed: bool = False) -> ssl.SSLContext:
        """A server's context with a certificate for `name`, expired where `days` is negative."""
        stem = f"{name}{days}{is_self_signed}"
        key, request, certificate = (self.folder / f"{stem}.{suffix}" for suffix in ("key", "csr", "pem"))
        extension = self.folder / f"{stem}.ext"
        extension.write_text(f"subjectAltName=DNS:{name}\n", "utf-8")
        _openssl("req", "-new", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        signing = ["-signkey", key] if is_self_signed else ["-CA", self.root, "-CAkey", self.folder / "ca.key"]
        serial = [] if is_self_signed else ["-CAcreateserial"]
        _openssl(
            "x509", "-req", "-in", request, *signing, *serial, "-days", days, "-extfile", extension, "-out", certificate
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    @property
    def root(self) -> Path:
        return self.folder / "ca.pem"

    def client_context(self) -> ssl.SSLContext:
        """A client's context that trusts this authority, otherwise Python's default."""
        return ssl.create_default_context(cafile=str(self.root))


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: object) -> None:
    program = shutil.which("openssl") or "openssl"
    subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that all tests of this module share: keys take time."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    _openssl(
        "req", "-x509", *_KEY, "-keyout", made.folder / "ca.key", "-out", made.root, "-days", 2, "-subj", "/CN=Test CA"
    )
    return made


async def _loopback(_: str) -> Sequence[str]:
    return ("127.0.0.1",)


async def test_a_certificate_that_verifies_is_accepted(authority: Authority) -> None:
    """A server that proves its name is read, and its connection used again."""
    async with HostileServer({"/": (OK,)}, tls=authority.server_context(NAME)) as server:
        async with fetching(tls=authority.client_context(), lookup=_loopback) as fetcher:
            for _ in range(2):
                assert (await response_to(fetcher, f"https://{NAME}:{server.port}/")).body == b"hi"
        assert server.connections == 1


async def test_certificates_that_do_not_verify_are_refused(authority: Authority) -> None:
    """Expired, for another name, self-signed: each is a failure that is not tried again, and no request is sent."""
    contexts = {
        "expired": authority.server_context(NAME, days=-1),
        "another name": authority.server_context("other.example"),
        "self-signed": authority.server_context(NAME, is_self_signed=True),
    }
    for kind, context in contexts.items():
        async with HostileServer({"/": (OK,)}, tls=context) as server:
            async with fetching(tls=authority.client_context(), lookup=_loopback) as fetcher:
                failed = await failure_of(fetcher, f"https://{NAME}:{server.port}/")
                assert (failed.reason, failed.is_retryable) == ("tls", False), (kind, failed)
                assert fetcher.statistics().failures == {"tls": 1}
            assert server.requests == []


async def test_an_unknown_authority_is_refused_by_default(authority: Authority) -> None:
    """Without settings of one's own, only the machine's authorities are trusted; `verify_tls = false` trusts all."""
    async with HostileServer({"/": (OK,)}, tls=authority.server_context(NAME)) as server:
        async with fetching(lookup=_loopback) as fetcher:
            assert (await failure_of(fetcher, f"https://{NAME}:{server.port}/")).reason == "tls"
        async with fetching(lookup=_loopback, verify_tls=False) as fetcher:
            assert (await response_to(fetcher, f"https://{NAME}:{server.port}/")).body == b"hi"


async def test_a_server_without_a_common_version_is_refused() -> None:
    """An alert about the protocol version (RFC 8446, 6.2) is a TLS failure; nothing older than TLS 1.2 is offered."""
    alert = b"\x15\x03\x01\x00\x02\x02\x46"
    async with HostileServer(greeting=alert) as server, fetching() as fetcher:
        failed = await failure_of(fetcher, server.url("/", "https"))
        assert (failed.reason, failed.is_retryable) == ("tls", False)
    assert ssl.create_default_context().minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_plain_http_on_an_https_url_is_refused() -> None:
    """A server that answers a TLS hello in plain text is a TLS failure, without a hang."""
    async with HostileServer(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server, fetching() as fetcher:
        assert (await failure_of(fetcher, server.url("/", "https"))).reason in {"tls", "connect"}
        assert server.requests == []


async def test_tls_on_an_http_url_is_refused(authority: Authority) -> None:
    """A TLS server that gets a plain request closes it: a failure, without a hang."""
    async with HostileServer({"/": (OK,)}, tls=authority.server_context(NAME)) as server, fetching() as fetcher:
        assert (await failure_of(fetcher, server.url("/", "http"))).reason in {"protocol", "disconnected"}


async def test_a_handshake_that_stalls_ends() -> None:
    """A server that accepts and never shakes hands costs the time for connecting, not the whole deadline."""
    async with HostileServer({"/": (WAIT,)}) as server, fetching(connect_timeout=0.1) as fetcher:
        failed = await failure_of(fetcher, server.url("/", "https"))
        assert (failed.reason, failed.is_retryable) == ("connect_timeout", True)
        assert fetcher.statistics().transport.open_connections == 0
