"""The table `[backends.docker]`: a container engine, and the places in which jobs run there."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from wand_hostagent.policy.model import NETWORKS

_IMAGE = re.compile(r"([a-z0-9][a-z0-9._/:-]{0,254}@)?sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_USER = re.compile(r"\d{1,10}:\d{1,10}")
FORBIDDEN = tuple(
    map(Path, ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/boot", "/root", "/var/lib"))
)  # of which nothing is lent to a container, nor what holds them


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder of this host that jobs see."""

    source: Path
    target: Path
    writable: bool = False

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            path = getattr(self, name)
            if not path.is_absolute() or ".." in path.parts or path == Path("/"):
                raise ValueError(f"{name} must be a whole path below /, without ..")
        for folder in FORBIDDEN:
            if self.source.is_relative_to(folder) or folder.is_relative_to(self.source):
                raise ValueError(f"source is in {folder}, or holds it; that is not lent to a container")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One image and what a container of it may do; a caller can change none of it."""

    image: str  # by its digest alone: sha256:…, or name@sha256:…
    warm: int = 0  # so many containers wait, each for one job after the other; 0: a new one for each job
    memory_bytes: int = 512 * 2**20
    cpus: float = 1.0
    processes: int = 256
    tmp_bytes: int = 64 * 2**20  # of /tmp, in memory
    wall_seconds: float = 3600.0
    output_bytes: int = 256 * 2**20
    network: str = "none"  # or the name of one of Docker's networks
    read_only: bool = True  # the image's own files
    user: str = "65534:65534"
    directory: str = "/"
    mounts: tuple[Mount, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    environment_allowed: tuple[str, ...] = ()  # globs on what a caller may set
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def networks(self) -> frozenset[str]:
        """Those that a rule may demand, and it has."""
        return frozenset(NETWORKS if self.network == "none" else ())

    def __post_init__(self) -> None:
        for is_wrong, what in self._wrongs():
            if is_wrong:
                raise ValueError(what)
        for name in ("memory_bytes", "cpus", "processes", "tmp_bytes", "wall_seconds", "output_bytes"):
            if not 0 < getattr(self, name) < 2**53:
                raise ValueError(f"{name} must be above 0")

    def _wrongs(self) -> list[tuple[bool, str]]:
        shared = self.network == "host" or self.network.startswith("container:")
        return [
            (
                not _IMAGE.fullmatch(self.image),
                f"image is {self.image!r}; it must be its digest, sha256:… or NAME@sha256:…",
            ),
            (not _USER.fullmatch(self.user), "user must be two numbers, as 65534:65534"),
            (not 0 <= self.warm <= 64, "warm must be from 0 to 64"),
            (shared, "network must be none, or one of Docker's own; not the host's or another's"),
            (not self.directory.startswith("/"), "directory must begin with /"),
            (self.memory_bytes < 6 * 2**20, "memory_bytes must be at least 6 MiB, which is Docker's least"),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSettings:
    """The engine's socket, and the places by their names."""

    socket: Path = Path("/run/docker.sock")
    places: dict[str, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.places:
            if not _NAME.fullmatch(name):
                raise ValueError(f"places holds {name!r}; small letters, digits, - and _ make a name")
