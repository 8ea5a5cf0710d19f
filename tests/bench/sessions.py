"""Many sessions: ten calls in flight in each of 200; 200 that only listen; how long starts take."""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import _firstanswer, _servers
from bench._contenders import start_edge
from bench._load import Connection, Target, call, connect, open_session, request
from bench._servers import Server
from support import certificates
from support.places import short_folder

SESSIONS, CALLS, ROUNDS = 200, 10, 5
IDLE_SECONDS, IDLE_KIB, READY_SECONDS = 10.0, 10.0, 1.0
FIRST_ANSWER_MS = 60.0
LIBRARIES = "mcp.server.lowlevel, aiohttp.web, grpc.aio, cryptography.x509"
NOTE = """\
The server is our edge alone (guard, transport, kernel) on one core, the clients are on the other. Memory is
the resident memory of the server with the streams over that without them, its sessions open in both.
The first answer by stdio is that to `initialize`, asked at once after the start of the pipe; the server runs.
Medians of 25 that take turns with a pipe of a few lines that does the same (tests/bench/peers/pipe.py).\
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that was measured, and what it may be at most."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    def line(self) -> str:
        goal = "" if self.goal is None else f"  goal <= {self.goal:g}: {'met' if self.is_met else 'MISSED'}"
        return f"{self.name:42} {self.value:10.3f} {self.unit}{goal}"

    @property
    def is_met(self) -> bool:
        return self.goal is None or self.value <= self.goal


def target_of(server: Server) -> Target:
    return Target(
        port=server.port, era="legacy", tool="echo", arguments={"text": "hello"}, proof=b"hello",
        headers=server.headers,
    )  # fmt: skip


async def in_flight(server: Server, sessions: Sequence[str]) -> list[Figure]:
    """Every session asks ten times at once, round after round; each answer is looked at."""
    target = target_of(server)
    numbered = [b'"id":%d,' % number for number in range(CALLS)]
    wires = [call(target, one).replace(b'"id":1,', number) for one in sessions for number in numbered]
    connections = [await connect(server.port) for _ in wires]
    before, began = _servers.usage(server.pid), time.perf_counter()
    for _ in range(ROUNDS):
        asked = (one.ask(wire) for one, wire in zip(connections, wires, strict=True))
        answers = await asyncio.gather(*asked)
        if wrong := [one for one in answers if target.proof not in one]:
            sys.exit(f"bench: {len(wrong)} wrong answers, such as {wrong[0][:400]!r}")
    wall, after = time.perf_counter() - began, _servers.usage(server.pid)
    close(connections)
    calls = len(wires) * ROUNDS
    return [
        Figure(name=f"{len(wires)} calls in flight: calls a second", value=calls / wall, unit="/s"),
        Figure(
            name="  CPU a call",
            value=(after.cpu_seconds - before.cpu_seconds) / calls * 1e6,
            unit="us",
        ),
    ]


async def idle(server: Server, sessions: Sequence[str], seconds: float = IDLE_SECONDS) -> list[Figure]:
    """What streams cost that say nothing."""
    before = _servers.usage(server.pid)
    streams = [await connect(server.port) for _ in sessions]
    waiting = [one.ask(listen(server, session)) for one, session in zip(streams, sessions, strict=True)]
    await asyncio.sleep(2)
    begun = _servers.usage(server.pid)
    await asyncio.sleep(seconds)
    after = _servers.usage(server.pid)
    for one in waiting:
        one.cancel()
    close(streams)
    more = max(begun.resident_bytes, after.resident_bytes) - before.resident_bytes
    percent = (after.cpu_seconds - begun.cpu_seconds) / (seconds or 1) * 100
    return [
        Figure(
            name=f"{len(streams)} idle streams: memory each",
            value=more / 1024 / len(streams),
            unit="KiB",
            goal=IDLE_KIB,
        ),
        Figure(name="  CPU of one core, all of them", value=percent, unit="%", goal=0.5),
    ]


def listen(server: Server, session: str) -> bytes:
    """GET the stream of a session."""
    wire = request(target_of(server), {}, {"Mcp-Session-Id": session, "Content-Length": "0"})
    return wire.replace(b"POST /mcp", b"GET /mcp", 1)[: -len(json.dumps({}))]


def close(connections: Sequence[Connection]) -> None:
    for one in connections:
        one.close()


def starts(folder: Path) -> list[Figure]:
    """From the start of `wand-server serve`, the host agent away, and of `wand-server stdio`."""
    _, ours = certificates.good(folder)
    file, away = folder / "server.toml", folder / "none"
    file.write_text(
        f'[http]\nport = 0\nkeys_file = "k"\n[stdio]\nsocket = "s"\n[hostagent]\naddress = "unix:{away}"\n'
        f'ca = "{ours.ca}"\ncertificate = "{ours.certificate}"\nkey = "{ours.key}"\n'
    )
    file.chmod(0o600)
    argv: list[str | Path] = [Path(sys.executable).with_name("wand-server"), "serve", "--settings", file]
    figures = ready(argv, folder / "serve.log")
    with _servers.ready_server(argv, folder / "serve.log"):
        return [*figures, *first_answer(folder / "s")]


def ready(argv: Sequence[str | Path], log: Path) -> list[Figure]:
    """To its port."""
    _servers.seconds_to_ready(argv, log)
    rounds = [(_servers.seconds_to_ready(argv, log), loading()) for _ in range(5)]
    best = min(ours for ours, _ in rounds)
    ratio = statistics.median(ours / theirs for ours, theirs in rounds)
    return [
        Figure(name="start to ready", value=best, unit="s", goal=READY_SECONDS),
        Figure(name="  over loading its libraries alone", value=ratio, unit="x"),
    ]


def first_answer(socket: Path) -> list[Figure]:
    """Of a client by stdio."""
    found = _firstanswer.measure(socket)
    ours, bare, packaged = found["ours"], found["bare"], found["packaged"]
    spawn, byte = ours.from_spawn * 1e3, ours.from_first_byte * 1e3
    return [
        Figure(name="stdio, spawn to first answer", value=spawn, unit="ms", goal=FIRST_ANSWER_MS),
        Figure(name="  first byte to first answer", value=byte, unit="ms"),
        Figure(name="  CPU of the pipe", value=ours.cpu * 1e3, unit="ms"),
        Figure(name="  spawn to answer, over a bare pipe", value=ours.from_spawn / bare.from_spawn, unit="x"),
        Figure(name="  CPU, over a bare pipe", value=ours.cpu / bare.cpu, unit="x"),
        Figure(name="  as packages start it: to answer", value=packaged.from_spawn * 1e3, unit="ms"),
    ]


def loading() -> float:
    """How long Python takes to load what the server is made with, and to end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True)
    return time.perf_counter() - began


async def measure(server: Server) -> list[Figure]:
    target = target_of(server)
    sessions = [await open_session(target) for _ in range(SESSIONS)]
    await idle(server, sessions[:20], seconds=0)  # what the first of them loads is no cost of the others
    return [*await idle(server, sessions), *await in_flight(server, sessions)]


def main() -> None:
    with short_folder() as folder, contextlib.ExitStack() as stack:
        server = stack.enter_context(start_edge(folder))
        figures = [*asyncio.run(measure(server)), *starts(folder)]
    print("\n".join(one.line() for one in figures))
    print(f"\n{NOTE}")
    sys.exit(0 if all(one.is_met for one in figures) else 1)


if __name__ == "__main__":
    main()
