"""A launcher and a host agent as real processes, with certificates, policy and profile of their own.

    with hostagent.running() as wand:
        async with wand.channel() as channel: ...

Each `running` has its own folder, sockets and ports, so any number may run beside one another. At its end
both processes are ended by their ids.
"""

import asyncio
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from grpc import aio

import wand_hostagent.launcher
from support import certificates
from support.places import short_folder
from wand_hostagent import pki
from wand_proto import tls
from wand_proto.context import Caller, new_request_id, to_metadata
from wand_proto.errors import WandError, from_wire
from wand_proto.v1 import execution_pb2 as wire

LAUNCHER = Path(wand_hostagent.launcher.__file__ or "").parent
HOSTAGENT = Path(sys.executable).with_name("wand-hostagent")
START_SECONDS = 30.0
CALL_SECONDS = 40.0
STOP_SECONDS = 20.0

POLICY = """
[[rule]]
name = "never"
verdict = "deny"
principals = ["*"]
programs = ["forbidden"]
say = "anything else is permitted"

[[rule]]
name = "people may run anything in the workspace"
verdict = "allow"
principals = ["*"]
programs = ["*"]
profile = "developer"

[[rule]]
name = "files"
verdict = "allow"
principals = ["*"]
paths = ["{workspace}"]
verbs = ["read", "write", "edit", "list", "search"]
profile = "developer"
"""
PROFILE = """
name = "developer"
workspace = "{workspace}"
path = "/usr/local/bin:/usr/bin:/bin"
environment = {{ LANG = "C.UTF-8" }}
environment_allowed = ["CI", "LC_*"]
[limits]
wall_seconds = 600
output_bytes = 1073741824
"""
SETTINGS = """
listen = ["unix:{folder}/h.sock", "127.0.0.1:0"]
peers = ["{peer}"]
launcher_socket = "{folder}/l.sock"
policy_directory = "{folder}/policy.d"
spool_directory = "{folder}/spool"
stop_seconds = 1.0
development = true
log_level = "debug"
[tls]
ca = "{folder}/pki/ca.crt"
certificate = "{folder}/pki/hostagent.crt"
key = "{folder}/pki/hostagent.key"
"""


@dataclass
class Program:
    """One process that is started with `--ready-fd` and writes its log to a file."""

    argv: Sequence[str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    said: str = ""  # on the ready descriptor
    environment: Mapping[str, str] = field(default_factory=dict)  # beside our own

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        ours, its = os.pipe()
        with os.fdopen(ours, "rb") as ready, self.log.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    [*self.argv, "--ready-fd", str(its)],
                    env={**os.environ, **self.environment},
                    pass_fds=[its],
                    stdin=subprocess.DEVNULL,
                    stderr=log,
                )
            finally:
                os.close(its)
            self.said = self._answer(ready.fileno())

    def _answer(self, ready: int) -> str:
        until, said = time.monotonic() + START_SECONDS, b""
        while select.select([ready], [], [], max(0.0, until - time.monotonic()))[0]:
            part = os.read(ready, 4096)
            said += part
            if not part or said.endswith(b"\n"):
                break
        if not said:
            self.end()
            raise AssertionError(f"{self.argv[:2]} did not become ready:\n{self.log.read_text()[-4000:]}")
        return said.decode()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None, "not started"
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None, "not started"
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def end(self) -> int:
        """End it as systemd does; the exit status."""
        assert self.process is not None, "not started"
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[:2]} did not stop:\n{self.log.read_text()[-4000:]}") from None

    def memory_bytes(self) -> int:
        """What of it lies in memory now (proc(5), statm)."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """How many it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def events(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log that tell of such an event."""
        lines = (line for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, lines) if line.get("event") == event]


@dataclass
class Wand:
    """Both processes, and where everything of theirs lies."""

    folder: Path
    launcher: Program
    agent: Program
    mark: str = field(default_factory=lambda: f"1{secrets.randbelow(10**8):08}")  # seconds that only we sleep

    @property
    def workspace(self) -> Path:
        return self.folder / "work"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def settings(self) -> Path:
        return self.folder / "hostagent.toml"

    @property
    def identity(self) -> tls.Identity:
        """The server's."""
        return pki.identity(self.pki, "server")

    @property
    def unix(self) -> str:
        return f"unix:{self.folder}/h.sock"

    @property
    def tcp(self) -> str:
        return next(line for line in self.agent.said.splitlines() if line.startswith("127.0.0.1:"))

    def channel(self, address: str = "", identity: tls.Identity | None = None) -> aio.Channel:
        """A new connection as the server, by default over the Unix socket."""
        return aio.secure_channel(
            address or self.unix, tls.channel_credentials(identity or self.identity), options=OPTIONS
        )

    def recorded(self, event: str) -> list[dict[str, Any]]:
        """The lines of the ledger that tell of such an event."""
        lines = map(json.loads, (self.folder / "ledger/ledger.jsonl").read_text().splitlines())
        return [line for line in lines if line["event"] == event]


OPTIONS = (
    ("grpc.ssl_target_name_override", tls.HOSTAGENT_NAME),
    ("grpc.default_authority", tls.HOSTAGENT_NAME),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024 + 64 * 1024),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
)


def asking(principal: str = "ada") -> aio.Metadata:
    """Metadata of a call of theirs."""
    return aio.Metadata(*to_metadata(Caller(principal=principal, request_id=new_request_id())))


def command(*argv: str, **fields: Any) -> wire.RunRequest:
    """A request to run these words."""
    return wire.RunRequest(argv=wire.Argv(words=argv), **fields)


def shell(text: str, **fields: Any) -> wire.RunRequest:
    """A request to run this text."""
    return wire.RunRequest(shell=text, **fields)


async def followed(events: Any) -> tuple[dict[int, bytes], wire.Exited]:
    """What the rest of a call's events brings: each stream's output, and the end."""
    parts: dict[int, list[bytes]] = {wire.STREAM_STDOUT: [], wire.STREAM_STDERR: []}
    async with asyncio.timeout(CALL_SECONDS):
        async for event in events:
            if event.HasField("output"):
                parts[event.output.stream].append(event.output.data)
            elif event.HasField("exited"):
                return {stream: b"".join(some) for stream, some in parts.items()}, event.exited
    raise AssertionError("the stream ended before its job")


async def failure(call: Awaitable[Any]) -> WandError:
    """The error with which a call ends."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            answer = await call
    except aio.AioRpcError as error:
        trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
        return from_wire(error.code().name, error.details() or "", trailing)
    raise AssertionError(f"it did not fail, but answered {answer}")


def processes(mark: str) -> list[int]:
    """The processes, living ones, with `mark` in their command line."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if mark in _words(path)]


def _words(process: Path) -> str:
    with suppress(OSError):
        return (process / "cmdline").read_bytes().decode(errors="replace")
    return ""


@contextmanager
def running(*, policy: str = POLICY, profile: str = PROFILE, settings: str = "") -> Iterator[Wand]:
    """A launcher and a host agent that are ready; `settings` are lines put before the usual ones."""
    with prepared(policy=policy, profile=profile, settings=settings) as wand:
        wand.launcher.start()
        wand.agent.start()
        yield wand


@contextmanager
def prepared(*, policy: str = POLICY, profile: str = PROFILE, settings: str = "") -> Iterator[Wand]:
    """The same, both processes not yet started."""
    with short_folder() as folder:
        for name in ("work", "policy.d", "profiles.d", "ledger", "spool"):
            (folder / name).mkdir(mode=0o700)
        certificates.good(folder / "pki")
        peer = certificates.SERVER.uris[0]
        places = {"folder": folder, "workspace": folder / "work", "peer": peer}
        for name, text in (
            ("policy.d/policy.toml", policy),
            ("profiles.d/developer.toml", profile),
            ("hostagent.toml", settings + SETTINGS),
        ):
            (folder / name).write_text(text.format(**places))
            (folder / name).chmod(0o600)
        wand = Wand(folder, _launcher(folder), _agent(folder))
        try:
            yield wand
        finally:
            _end(wand)


def _launcher(folder: Path) -> Program:
    words = [
        "--profiles",
        folder / "profiles.d",
        "--ledger",
        folder / "ledger",
        "--socket",
        folder / "l.sock",
    ]
    argv = [sys.executable, "-I", "-S", "-E", LAUNCHER, *words, "--development"]
    return Program([str(word) for word in argv], folder / "launcher.log")


def _agent(folder: Path) -> Program:
    return Program(
        [str(HOSTAGENT), "serve", "--settings", str(folder / "hostagent.toml")], folder / "agent.log"
    )


def _end(wand: Wand) -> None:
    """End both, whatever state they are in: a failure of one must not leave the other."""
    try:
        if wand.agent.process is not None:
            wand.agent.end()
    finally:
        if wand.launcher.process is not None:
            wand.launcher.end()
