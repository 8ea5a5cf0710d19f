"""The processes of a run: host agent and launcher, a server, agents; each begins again when killed."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from support import hostagent
from support.lines import whole_lines
from support.places import free_port
from support.program import Program
from wand_server.auth import keyfile

SERVER = Path(sys.executable).with_name("wand-server")
HEALTH_SECONDS, LEASE_SECONDS = 0.5, 2.0
GONE_SECONDS = 3 * HEALTH_SECONDS
CALL_SECONDS = 30.0
_SETTINGS = """
[http]
host = "127.0.0.1"
port = {port}
keys_file = "{folder}/keys.toml"
[stdio]
socket = "{folder}/stdio.sock"
[state]
folder = "{folder}/state"
[hostagent]
address = "unix:{folder}/h.sock"
ca = "{folder}/pki/ca.crt"
certificate = "{folder}/pki/server.crt"
key = "{folder}/pki/server.key"
[execution]
stop_seconds = 5
[agents]
count = 2
most = 4
health_seconds = {health}
lease_seconds = {lease}
{tasks}
"""


@dataclass
class Part:
    """One program, and since when it runs."""

    program: Program
    ready_at: float = 0.0
    agents: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether it runs."""
        return 0 < self.ready_at < float("inf")

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        until = time.monotonic() + 120
        while True:
            try:
                self.program.start()
                break
            except AssertionError:  # its database is just then starting again itself; systemd does the same
                if time.monotonic() > until:
                    raise
        self.ready_at = time.monotonic()
        self.agents = tuple(self.program.said.split())


@dataclass
class Parts:
    """All of them."""

    wand: hostagent.Wand
    key: str
    port: int
    server: Part
    crews: list[Part]
    dead: dict[int, float] = field(default_factory=dict)  # when which process was killed

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def all(self) -> list[Part]:
        return [self.server, *self.crews]

    async def kill(self, part: Part) -> None:
        """End it as a crash does, and start it again."""
        self.dead[part.program.pid] = time.monotonic()
        part.ready_at = float("inf")
        await asyncio.to_thread(part.program.kill)
        await asyncio.to_thread(part.start)

    async def hang(self, part: Part) -> None:
        """Let it stand still for longer than its leases, and then go on as if nothing had been."""
        part.ready_at = float("inf")
        part.program.signal(signal.SIGSTOP)
        await asyncio.sleep(1.5 * LEASE_SECONDS)
        part.program.signal(signal.SIGCONT)
        await asyncio.sleep(GONE_SECONDS)  # until it has said that it lives
        part.ready_at = time.monotonic()

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client of the server that runs now."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=CALL_SECONDS) as http,
            Client(streamable_http_client(self.url, http_client=http), mode="2026-07-28") as client,
        ):
            yield client

    async def use(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers; asked again until a server is there to answer."""
        until = time.monotonic() + 120
        while True:
            try:
                async with asyncio.timeout(CALL_SECONDS), self.client() as client:
                    result = await client.call_tool(tool, arguments)
            except Exception:  # whatever a client makes of a server that was killed
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.1)  # it is being started again
                continue
            if result.is_error and _passes(result):
                await asyncio.sleep(0.1)
                continue
            assert not result.is_error, result.content
            return dict(result.structured_content or {})


def _passes(result: Any) -> bool:
    text = str(result.content[0].text)
    return text.startswith(
        ("Unavailable", "Ambiguous")
    )  # what is handed out has a key, so it may be said twice


@contextmanager
def running(tasks: str, crews: int, **host: str) -> Iterator[Parts]:
    """All of them, while entered; `tasks` are lines of the settings about the store, `host` its own."""
    with hostagent.running(**host) as wand:
        folder = wand.folder
        port = free_port()
        key = keyfile.add(folder / "keys.toml", "chaos", keyfile.Wanted())
        (folder / "state").mkdir(mode=0o700)
        text = _SETTINGS.format(
            folder=folder, port=port, health=HEALTH_SECONDS, lease=LEASE_SECONDS, tasks=tasks
        )
        (folder / "server.toml").write_text(text)
        (folder / "server.toml").chmod(0o600)
        argv = [str(SERVER), "serve", "--settings", str(folder / "server.toml")]
        parts = Parts(wand, key, port, Part(Program(argv, folder / "server.log")), [])
        for number in range(crews):
            words = [
                "agent",
                "--settings",
                str(folder / "server.toml"),
                "--name",
                f"crew{number}",
                "--count",
                "2",
            ]
            parts.crews.append(Part(Program([str(SERVER), *words], folder / f"crew{number}.log")))
        try:
            for part in parts.all():
                part.start()
            yield parts
        finally:
            for part in parts.all():
                if part.program.process is not None and part.program.process.poll() is None:
                    part.program.kill()


def kill_backend(chance: Any, pids: Sequence[int]) -> int:
    """Kill one of PostgreSQL's processes that serve a connection; its number, 0 where there is none."""
    if not pids:
        return 0
    pid = chance.choice(list(pids))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return int(pid)


def logged(path: Path, event: str) -> list[dict[str, Any]]:
    """The lines of a log that tell of such an event."""
    lines = (line for line in whole_lines(path) if line.startswith(b"{"))
    return [line for line in map(json.loads, lines) if line.get("event") == event]
