"""Names looked up by the proxy itself: in the system's list of hosts, then at its name servers.

The system's own resolver would block, load modules, and read far more files. What a name leads to is only
told here; whether a job may go there is decided by who asked.
"""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from wand_hostagent.launcher.egress import dns
from wand_hostagent.launcher.loop import READ, Loop

_PORT = 53
_PATIENCE_SECONDS = 2.0  # for one server
_ROUNDS = 2
_MOST_SERVERS = 3  # as resolv.conf(5)
_MOST_FILE_BYTES = 1024 * 1024

T = TypeVar("T")
Answer = Callable[[Sequence[bytes], str], None]


@dataclass(frozen=True, slots=True)
class Files:
    """Where this system says who is who: resolv.conf(5), hosts(5)."""

    settings: str = "/etc/resolv.conf"
    hosts: str = "/etc/hosts"


class Resolver:
    """All lookups of one proxy."""

    def __init__(self, loop: Loop, files: Files) -> None:
        self._loop = loop
        self._servers = _Read(files.settings, _servers)
        self._hosts = _Read(files.hosts, _hosts)

    @property
    def is_stale(self) -> bool:
        """Whether a file was replaced: our walls hold on to the one that was there."""
        return self._servers.is_barred or self._hosts.is_barred

    def look_up(self, host: str, answer: Answer) -> "Lookup | None":
        """Call `answer` with the addresses of a name, or with none and why; None where that is done already.

        IPv4 comes first: where a machine has no IPv6, trying it costs time, and the other way round not.
        """
        listed = self._hosts.now.get(host, ())
        if listed:
            answer(listed, "")
            return None
        servers = self._servers.now
        if not servers:
            answer((), "this machine has no name server")
            return None
        lookup = Lookup(self._loop, host, servers * _ROUNDS, answer)
        lookup.go_on()
        return lookup


@dataclass(slots=True, eq=False)
class Lookup:
    """One name that is being looked up, at one server after the other."""

    loop: Loop
    host: str
    servers: list[tuple[str, int]]
    answer: Answer
    why: str = "no name server answered"
    link: socket.socket | None = None
    open: dict[int, dns.Question] = field(default_factory=dict)
    found: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    timer: int | None = None

    def go_on(self) -> None:
        """Ask the next server what is not known yet; give up where there is none."""
        self.stop()
        while self.servers:
            if self._ask(*self.servers.pop(0)):
                self.timer = self.loop.later(_PATIENCE_SECONDS, self._late)
                return
        self._tell()

    def stop(self) -> None:
        """Forget the server that was asked."""
        self.loop.cancel(self.timer)
        self.timer = None
        if self.link is not None:
            self.loop.ignore(self.link.fileno())
            self.link.close()
            self.link = None

    def _ask(self, server: str, port: int) -> bool:
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        asked = [dns.ask(self.host, one) for one in dns.KINDS if one not in self.found]
        self.open = {question.number: question for question in asked}
        link = None
        try:
            link = socket.socket(family, kind)
            link.connect((server, port))  # so that only this server can answer
            for question in asked:
                link.send(question.packed)
        except OSError as error:
            self.why = f"name server {server}: {error.strerror}"
            if link is not None:
                link.close()
            return False
        self.link = link
        self.loop.watch(link.fileno(), READ, lambda _: self._hear(link))
        return True

    def _hear(self, link: socket.socket) -> None:
        try:
            message = link.recv(dns.MOST_BYTES + 1)
        except BlockingIOError:
            return
        except OSError as error:
            self.why = f"a name server cannot be reached: {error.strerror}"
            self.go_on()
            return
        question = self.open.get(int.from_bytes(message[:2], "big"))
        if question is None:
            return
        try:
            self.found[question.kind] = dns.read(message, question)
        except dns.Unanswered as error:
            self.why = f"the answer of a name server does not help: {error}"
            return  # it may be another's: wait for the right one
        if len(self.found) == len(dns.KINDS):
            self._tell()

    def _late(self) -> None:
        """Go on with one kind of address where the server keeps the other to itself."""
        self.timer = None
        if any(self.found.values()):
            self._tell()
        else:
            self.go_on()

    def _tell(self) -> None:
        self.stop()
        addresses = [one for kind in dns.KINDS for one in self.found.get(kind, ())]
        known = len(self.found) == len(dns.KINDS)
        self.answer(addresses, "" if addresses else "the name is not known" if known else self.why)


# -- the system's files ----------------------------------------------------------------------------------


class _Read(Generic[T]):
    """What a file says, read again when it has changed; where it cannot be, what it said before."""

    def __init__(self, path: str, read: Callable[[str], T]) -> None:
        self._path = path
        self._read = read
        self._age: tuple[int, int] | None = None
        self._said = read("")
        self.is_barred = False

    @property
    def now(self) -> T:
        try:
            about = os.stat(self._path)  # noqa: PTH116 - text
            age = about.st_ino, about.st_mtime_ns
            if age != self._age:
                with Path(self._path).open("rb") as file:
                    text = file.read(_MOST_FILE_BYTES).decode("ascii", "replace")
                self._said, self._age = self._read(text), age
        except PermissionError:
            self.is_barred = self._age is not None
        except OSError:
            return self._said
        return self._said


def _servers(text: str) -> list[tuple[str, int]]:
    """The name servers; a port after `#`, as some resolvers write it, counts too."""
    found = []
    for words in map(str.split, text.splitlines()):
        if len(words) > 1 and words[0] == "nameserver":
            address, _, port = words[1].partition("#")
            if _packed(address) is not None:
                found.append((address, int(port) if port.isdigit() else _PORT))
    return found[:_MOST_SERVERS]


def _hosts(text: str) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        packed = _packed(address)
        for name in names if packed is not None else ():
            known = found.get(name.lower(), ())
            found[name.lower()] = tuple(sorted({*known, packed or b""}, key=len))
    return found


def _packed(address: str) -> bytes | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            return socket.inet_pton(family, address)
    return None
