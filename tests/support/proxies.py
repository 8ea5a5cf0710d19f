"""Real proxies, each with its example from docs/how-to/put-a-proxy-in-front.md, and clients of theirs."""

import contextlib
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from support import certificates
from support.edge import Edge
from support.places import free_port
from support.tree import ROOT
from support.waiting import until
from wand_proto.credentials import Identity

NAME = "proxy.wand.internal"  # the only names for which the tests' authority signs end so
PAGE = ROOT / "docs" / "how-to" / "put-a-proxy-in-front.md"
PROXIES = ("haproxy", "nginx", "caddy")
_STOP_SECONDS = 10

_NGINX = """\
daemon off;
user root;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{example}
}}
"""
_CADDY = """\
{{
    admin off
    auto_https disable_redirects
    storage file_system {folder}/caddy
}}
{example}
"""


def example(kind: str) -> str:
    """What the page says of that proxy."""
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{PAGE} has no example of {kind}"
    return found[1]


@dataclass
class Proxied(Edge):
    """The same server, reached by its proxy."""

    proxy_origin: str = ""
    authority: Path = Path()

    @property
    def origin(self) -> str:
        return self.proxy_origin

    @contextlib.asynccontextmanager
    async def come_from(self, address: str) -> AsyncIterator["Proxied"]:
        """The same, for a client of another address."""
        async with session(self.authority, address) as client:
            yield replace(self, client=client)


@contextlib.asynccontextmanager
async def proxied(kind: str, served: Edge, folder: Path) -> AsyncIterator[Proxied]:
    """That proxy before a server that runs, until the end."""
    certificates.good(folder / "pki")
    leaf = replace(certificates.HOSTAGENT, name="proxy", dns=NAME)
    ours = certificates.issue(folder / "pki", certificates.authority_of(folder / "pki"), leaf)
    port = free_port()
    argv = _written(kind, folder, _placed(example(kind), ours, port, served.transport.port))
    with _running(argv, folder) as child:
        await until(lambda: _is_open(port, child, folder / "log"))
        async with session(ours.ca, "127.0.0.1") as client:
            yield Proxied(
                **{**vars(served), "client": client},
                proxy_origin=f"https://{NAME}:{port}",
                authority=ours.ca,
            )


@contextlib.asynccontextmanager
async def session(ca: Path, address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client at that address of loopback, who knows where the proxy is."""
    connector = aiohttp.TCPConnector(
        ssl=ssl.create_default_context(cafile=ca), resolver=_Here(), local_addr=(address, 0)
    )
    async with aiohttp.ClientSession(connector=connector) as client:
        yield client


class _Here(AbstractResolver):
    """Every name is this machine's."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


def _placed(text: str, ours: Identity, port: int, behind: int) -> str:
    """The example with the places of this test."""
    whole = ours.certificate.with_suffix(".pem")
    whole.write_bytes(ours.certificate.read_bytes() + ours.key.read_bytes())
    for there, here in (
        ("127.0.0.1:8001", f"127.0.0.1:{behind}"),
        ("/etc/letsencrypt/live/wand.example/fullchain.pem", str(ours.certificate)),
        ("/etc/letsencrypt/live/wand.example/privkey.pem", str(ours.key)),
        ("/etc/haproxy/wand.pem", str(whole)),
        ("bind :443", f"bind 127.0.0.1:{port}"),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        (
            "wand.example {\n",
            f"{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {ours.certificate} {ours.key}\n",
        ),
        ("wand.example", NAME),
    ):
        text = text.replace(there, here)
    return text


def _written(kind: str, folder: Path, text: str) -> list[str]:
    """Write the proxy's file; the command that starts it."""
    program = shutil.which(kind)
    assert program is not None
    file = folder / kind
    if kind == "haproxy":
        file.write_text(text)
        return [program, "-db", "-f", str(file)]
    if kind == "nginx":
        file.write_text(_NGINX.format(folder=folder, example=text))
        return [program, "-e", "stderr", "-p", str(folder), "-c", str(file)]
    file.write_text(_CADDY.format(folder=folder, example=text))
    return [program, "run", "--adapter", "caddyfile", "--config", str(file)]


@contextlib.contextmanager
def _running(argv: list[str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        finally:
            child.kill()
            child.wait()


def _is_open(port: int, child: "subprocess.Popen[bytes]", log: Path) -> bool:
    with socket.socket() as tried:
        if tried.connect_ex(("127.0.0.1", port)) == 0:
            return True
    assert child.poll() is None, log.read_text()[-4000:]
    return False
