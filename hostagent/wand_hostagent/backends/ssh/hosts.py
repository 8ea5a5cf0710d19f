"""The table `[backends.ssh]`: hosts, who we are there, and by which key each is known."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_WORD = re.compile(r"[^\s\0-\x1f'\"`$;&|<>(){}\\]{1,255}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshHost:
    """One host, and what its jobs are given."""

    address: str
    user: str
    port: int = 22
    keys: tuple[Path, ...] = ()  # private keys, of OpenSSH or PEM, without a passphrase
    certificates: tuple[Path, ...] = ()  # for these keys
    agent: Path | None = None  # the socket of an agent that has keys too
    jump: str = ""  # the host of this table by which it is reached
    directory: str = ""  # where jobs start; empty: where the login does
    environment: dict[str, str] = field(default_factory=dict)
    environment_allowed: tuple[str, ...] = ()  # globs on what a caller may set
    wall_seconds: float = 3600.0
    output_bytes: int = 256 * 2**20
    sessions: int = 8  # on one connection; sshd's MaxSessions is 10
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("address", "user"):
            if not _WORD.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} must be one plain word")
        for is_wrong, what in (
            (not 1 <= self.port <= 65535, "port must be from 1 to 65535"),
            (not (self.keys or self.agent), "keys or agent must be given: there are no passwords"),
            (bool(self.certificates) and not self.keys, "certificates belong to keys; give those too"),
            (self.directory != "" and not self.directory.startswith("/"), "directory must begin with /"),
            (not 1 <= self.sessions <= 1000, "sessions must be from 1 to 1000"),
            (not all(map(_VARIABLE.fullmatch, self.environment)), "environment holds a name that is none"),
            (not 0 < self.wall_seconds < 2**53, "wall_seconds must be above 0"),
            (not 0 < self.output_bytes < 2**53, "output_bytes must be above 0"),
        ):
            if is_wrong:
                raise ValueError(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """All hosts, and how links to them are kept."""

    known_hosts: Path = Path(
        "/etc/wand/known_hosts"
    )  # as OpenSSH has it; a host that is not in it is refused
    connect_seconds: float = 10.0  # for a link; the time of a command is another
    keepalive_seconds: float = 15.0  # a link that is silent for three of these is lost
    hosts: dict[str, SshHost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, host in self.hosts.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"hosts holds {name!r}; small letters, digits, . - and _ make a name")
            if host.jump and (host.jump not in self.hosts or host.jump == name):
                raise ValueError(f"hosts.{name}.jump is {host.jump!r}, which is no other host of the table")
        for name in self.hosts:
            self._check_jumps(name)
        for name in ("connect_seconds", "keepalive_seconds"):
            if not 0 < getattr(self, name) <= 3600:
                raise ValueError(f"{name} must be above 0, and at most 3600")

    def _check_jumps(self, name: str) -> None:
        seen = [name]
        while jump := self.hosts[seen[-1]].jump:
            if jump in seen:
                raise ValueError(f"hosts.{name}.jump leads in a circle: {' '.join((*seen, jump))}")
            seen.append(jump)


def is_variable(name: str) -> bool:
    """Whether a shell takes it for the name of a variable."""
    return bool(_VARIABLE.fullmatch(name))
