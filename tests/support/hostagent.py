"""A launcher and a host agent as real processes, with certificates, policy and profile of their own.

    with hostagent.running() as wand:
        async with wand.channel() as channel: ...

Each `running` has its own folder, sockets and ports, so any number may run beside one another. At its end
both processes are ended by their ids.
"""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpc import aio

import wand_hostagent.launcher
from support import certificates
from support.lines import whole_lines
from support.places import short_folder
from support.program import Program
from wand_hostagent import pki
from wand_proto import tls
from wand_proto.credentials import Identity
from wand_proto.wire import HOSTAGENT_NAME

LAUNCHER = Path(wand_hostagent.launcher.__file__ or "").parent
HOSTAGENT = Path(sys.executable).with_name("wand-hostagent")

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
    def identity(self) -> Identity:
        """The server's."""
        return pki.identity(self.pki, "server")

    @property
    def unix(self) -> str:
        return f"unix:{self.folder}/h.sock"

    @property
    def tcp(self) -> str:
        return next(line for line in self.agent.said.splitlines() if line.startswith("127.0.0.1:"))

    def channel(self, address: str = "", identity: Identity | None = None) -> aio.Channel:
        """A new connection as the server, by default over the Unix socket."""
        return aio.secure_channel(
            address or self.unix, tls.channel_credentials(identity or self.identity), options=OPTIONS
        )

    def recorded(self, event: str) -> list[dict[str, Any]]:
        """The lines of the ledger that tell of such an event."""
        lines = map(json.loads, whole_lines(self.folder / "ledger/ledger.jsonl"))
        return [line for line in lines if line["event"] == event]


OPTIONS = (
    ("grpc.ssl_target_name_override", HOSTAGENT_NAME),
    ("grpc.default_authority", HOSTAGENT_NAME),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024 + 64 * 1024),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
)


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
