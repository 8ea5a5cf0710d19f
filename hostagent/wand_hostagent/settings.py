"""The settings of the host agent: one frozen value, read from TOML files; an empty file is a good file."""

import argparse
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from wand_proto import layers, tomlfile
from wand_proto.credentials import Identity, pki_file
from wand_proto.errors import NotFound, WandError

DEFAULT_PATH = Path("/etc/wand/hostagent.toml")
_URI_START = "spiffe://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files: the authority that is trusted, our certificate and its key."""

    ca: Path = field(default_factory=lambda: pki_file("ca.crt"))
    certificate: Path = field(default_factory=lambda: pki_file("hostagent.crt"))
    key: Path = field(default_factory=lambda: pki_file("hostagent.key"))

    @property
    def identity(self) -> Identity:
        """What we prove ourselves by."""
        return Identity(self.ca, self.certificate, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How much of jobs is kept for reading on: of those that have ended the oldest go first."""

    jobs: int = 256
    seconds: float = 3600.0
    disk_bytes: int = 2 * 1024**3

    def __post_init__(self) -> None:
        for name in ("jobs", "seconds", "disk_bytes"):
            if not 0 < getattr(self, name) < 2**53:
                raise ValueError(f"{name} must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What needs a person's approval: how long one can be given, how long a call waits, how many may wait."""

    expire_seconds: float = 600.0
    wait_seconds: float = 10.0
    most_waiting: int = 8  # of one principal

    def __post_init__(self) -> None:
        if not 1 <= self.expire_seconds <= 86400:
            raise ValueError("expire_seconds must be from 1 to 86400")
        if not 0 <= self.wait_seconds <= 25:
            raise ValueError("wait_seconds must be from 0 to 25: a client gives up soon after")
        if not 1 <= self.most_waiting <= 64:
            raise ValueError("most_waiting must be from 1 to 64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What may run on this host under a privileged profile: who, which programs, how, where and as whom."""

    principals: tuple[str, ...]  # globs
    programs: tuple[str, ...]  # whole paths
    arguments: tuple[tuple[str, ...], ...]  # forms: each a glob a word, no more and no fewer
    paths: tuple[str, ...]  # folders in which it may start; the first is where it does
    profile: str
    run_as: str  # the user of that profile: said twice, so that neither changes alone

    def __post_init__(self) -> None:
        for name in ("principals", "programs", "arguments", "paths", "profile", "run_as"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty: a grant says all of it")
        for name in ("programs", "paths"):
            for path in getattr(self, name):
                if not path.startswith("/") or ".." in path.split("/") or set(path) & {"*", "?", "[", "\0"}:
                    raise ValueError(f"{name} holds {path!r}, which is no whole path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the host agent listens, whom it admits, and where its files lie."""

    listen: tuple[str, ...] = ("unix:/run/wand-hostagent/hostagent.sock", "127.0.0.1:7443")
    tls: Tls = field(default_factory=Tls)
    peers: tuple[str, ...] = field(
        default_factory=lambda: (f"{_URI_START}wand.internal/server/{socket.gethostname()}",)
    )  # the URIs in the certificates of the servers that may call, each whole: no patterns
    launcher_socket: Path = Path("/run/wand-launcher/launcher.sock")
    policy_directory: Path = Path("/etc/wand/policy.d")
    control_socket: Path = (
        Path()
    )  # root's, to approve and to reload; none given: beside the first of `listen`
    spool_directory: Path = Path("/var/lib/wand-hostagent/spool")
    max_jobs: int = 64  # at once
    default_backend: str = "native"  # where jobs run that nobody says a backend for: its name, or labels
    balance: Literal["least_busy", "round_robin"] = "least_busy"  # among several that are meant
    labels: dict[str, str] = field(default_factory=dict)  # of the native backend
    grants: dict[str, Grant] = field(default_factory=dict)  # of the backend host, which is off without any
    backends: dict[str, Any] = field(default_factory=dict)  # a table for each kind that is on, read by it
    kept: Kept = field(default_factory=Kept)
    asking: Asking = field(default_factory=Asking)
    stop_seconds: float = 5.0  # how long calls that are being served may go on after SIGTERM
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    development: bool = False  # files may belong to our own user instead of root

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("listen must name at least one address")
        for address in self.listen:
            _check_address(address)
        if self.control_socket == Path():
            object.__setattr__(self, "control_socket", _beside(self.listen))
        for peer in self.peers:
            if not peer.startswith(_URI_START) or any(letter in peer for letter in "*? \t"):
                raise ValueError(
                    f"peers holds {peer!r}; each must be a whole URI, as {_URI_START}wand.internal/server/x"
                )
        if not 1 <= self.max_jobs <= 4096:
            raise ValueError("max_jobs must be from 1 to 4096")
        if not 0 <= self.stop_seconds <= 600:
            raise ValueError("stop_seconds must be from 0 to 600")


def let_name(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """Let `--settings FILE` stand in a command line; `again` where the same may stand further in front."""
    default = argparse.SUPPRESS if again else DEFAULT_PATH
    parser.add_argument(
        "--settings", type=Path, default=default, metavar="FILE", help=f"default: {DEFAULT_PATH}"
    )


def load(path: Path) -> Settings:
    """The settings that a file and the folder beside it hold, relative paths taken from the file's folder.

    Raises:
        NotFound, Denied: the file is not there, or somebody else could have written one of them.
        Invalid: one cannot be read; the message names the file, the line, the key and what would be right.
    """
    try:
        files = layers.read(path, owners={0, os.geteuid()})
    except NotFound as error:
        raise NotFound(
            error.message, hint="--settings FILE names another; an empty file is good too"
        ) from error
    settings = tomlfile.fill(Settings, files.table(), where=files.told)
    return _anchored(settings, path.absolute().parent)


def where(path: Path) -> tomlfile.Where:
    """What tells in which of these files a key stands, and at which line."""

    def told(key: str) -> str:
        """They are read once more only where something is wrong."""
        try:
            return layers.read(path, owners={0, os.geteuid()}).told(key)
        except WandError:
            return str(path)

    return told


def _anchored(settings: Settings, folder: Path) -> Settings:
    tls = settings.tls
    return replace(
        settings,
        listen=tuple(_anchored_address(address, folder) for address in settings.listen),
        tls=Tls(ca=folder / tls.ca, certificate=folder / tls.certificate, key=folder / tls.key),
        launcher_socket=folder / settings.launcher_socket,
        policy_directory=folder / settings.policy_directory,
        control_socket=folder / settings.control_socket,
        spool_directory=folder / settings.spool_directory,
    )


def _beside(addresses: Sequence[str]) -> Path:
    """Where the administrator's socket lies, if nobody says: in the folder of the first Unix socket."""
    paths = filter(None, map(socket_path, addresses))
    return next(paths, Path("/run/wand-hostagent/hostagent.sock")).parent / "control.sock"


def _anchored_address(address: str, folder: Path) -> str:
    path = socket_path(address)
    return address if path is None else f"unix:{folder / path}"


def socket_path(address: str) -> Path | None:
    """The path of a Unix socket's address; None where the address is one of TCP."""
    return Path(address.removeprefix("unix:")) if address.startswith("unix:") else None


def _check_address(address: str) -> None:
    if address.startswith("unix:"):
        if not 1 <= len(os.fsencode(address.removeprefix("unix:"))) <= 107:  # unix(7): sun_path, with its NUL
            raise ValueError(f"listen holds {address!r}; the path of a Unix socket has from 1 to 107 bytes")
        return
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"listen holds {address!r}; an address is unix:/PATH or HOST:PORT")
