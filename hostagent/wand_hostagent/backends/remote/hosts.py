"""The table `[backends.remote]`: other hosts on which a Wand host agent runs, and who we are there."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_ADDRESS = re.compile(r"unix:/[^\s\0]{1,100}|[^\s\0/]{1,253}:[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHost:
    """One host agent; its policy and its profiles hold for what it is asked."""

    address: str  # HOST:PORT, or unix:/PATH
    ca: Path  # of its authority
    certificate: Path  # that it lets in
    key: Path
    backend: str = "native"  # of its own, where the jobs run there
    profile: str = ""  # of its own; empty: the one that its policy chooses
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise ValueError(f"address is {self.address!r}; it must be HOST:PORT or unix:/PATH")
        if not self.backend:
            raise ValueError("backend must name one of that host agent's: it might send the job on, else")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """All host agents, and how long they may be away."""

    rejoin_seconds: float = 20.0  # in which one that went away in mid-job may come back
    hosts: dict[str, RemoteHost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.hosts:
            if not _NAME.fullmatch(name):
                raise ValueError(f"hosts holds {name!r}; small letters, digits, . - and _ make a name")
        if not 0 < self.rejoin_seconds <= 3600:
            raise ValueError("rejoin_seconds must be above 0, and at most 3600")
