"""Where jobs of a profile may connect to: names, names below a name, and addresses, each with its port.

A host has one spelling here. What other programs would take for an address (one number, octal, hexadecimal,
a zone, digits of other alphabets) is neither a name nor an address, so no list can hold it and no
request can mean it.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

MOST = 256  # of one profile
_NAME_CHARACTERS = 253
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_NOWHERE = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - named to be refused
_MAPPED = bytes(10) + b"\xff\xff"


class Unclear(ValueError):
    """A text that is no host, no port or no destination; it says what would be right."""


@dataclass(frozen=True, slots=True)
class Target:
    """One host and port; `family` is that of an address, and 0 for a name."""

    host: str
    port: int
    family: int = 0

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.family == socket.AF_INET6 else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """The host as it stands in an address of the web, without the port that goes without saying."""
        return str(self).removesuffix(":80") if self.port == 80 else str(self)


@dataclass(frozen=True, slots=True)
class Destination:
    """One entry of a profile; `below` is one that means all names below its host."""

    target: Target
    below: bool = False

    def __str__(self) -> str:
        return f"*.{self.target}" if self.below else str(self.target)

    def permits(self, target: Target) -> bool:
        own = self.target
        if not self.below:
            return target == own
        return target.family == 0 and target.port == own.port and target.host.endswith(f".{own.host}")


@dataclass(frozen=True, slots=True)
class Destinations:
    """All entries of a profile."""

    entries: tuple[Destination, ...]

    def permits(self, target: Target) -> bool:
        """Whether a job may connect there; of a name, whether it may be looked up for that."""
        return any(entry.permits(target) for entry in self.entries)


def read_all(entries: Iterable[str]) -> Destinations:
    """The entries of a profile.

    Raises:
        Unclear: one of them is no destination; it is named.
    """
    found = tuple(dict.fromkeys(read(entry) for entry in entries))
    if len(found) > MOST:
        raise Unclear(f"{len(found)} destinations; the most are {MOST}")
    return Destinations(found)


def read(entry: str) -> Destination:
    """One entry: `name:port`, `*.name:port`, `1.2.3.4:port` or `[2001:db8::1]:port`.

    Raises:
        Unclear: it is something else.
    """
    below = entry.startswith("*.")
    try:
        target = read_target(entry[2:] if below else entry)
    except Unclear as error:
        raise Unclear(f"{entry!r}: {error}") from error
    if below and target.family:
        raise Unclear(f"{entry!r}: an address has no names below it")
    if target.family and _is_no_address(target):
        raise Unclear(f"{entry!r}: no address that can be connected to; write the IPv4 address itself")
    return Destination(target, below)


def read_target(text: str) -> Target:
    """A host and a port, with a colon between them.

    Raises:
        Unclear: it is something else.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        raise Unclear("has no port; write it as in name.example:443")
    return read_host(host, read_port(port))


def read_port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise Unclear("a port is a number from 1 to 65535")
    return int(text)


def read_host(text: str, port: int) -> Target:
    """A host beside its port: a name in small or capital letters, or an address in its usual spelling.

    Raises:
        Unclear: it is neither.
    """
    if text.startswith("[") and text.endswith("]"):
        return Target(_canonical(socket.AF_INET6, text[1:-1]), port, socket.AF_INET6)
    if not text.isascii():
        raise Unclear("a name has ASCII letters; others are written as xn--…")
    labels = text.lower().split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return Target(_canonical(socket.AF_INET, text), port, socket.AF_INET)
    if len(text) > _NAME_CHARACTERS or not all(map(_LABEL.fullmatch, labels)):
        raise Unclear("is neither a name nor an address; IPv6 addresses stand in []")
    return Target(".".join(labels), port)


def _canonical(family: int, text: str) -> str:
    try:
        found = socket.inet_ntop(family, socket.inet_pton(family, text))
    except (OSError, ValueError) as error:
        raise Unclear("is no address; it is written as in 192.0.2.1 or [2001:db8::1]") from error
    if family == socket.AF_INET and found != text:
        raise Unclear("is no address in its usual spelling")
    return found


def _is_no_address(target: Target) -> bool:
    """Whether it means any address, or an IPv4 address in other clothes."""
    packed = socket.inet_pton(target.family, target.host)
    return target.host == _NOWHERE[socket.AddressFamily(target.family)] or packed.startswith(_MAPPED)
