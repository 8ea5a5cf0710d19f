"""Two networks with a bridge between them, each of a guest, and all of them of our own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """The names of the networks, and the addresses in them."""

    names: tuple[str, str]
    bridge: str
    addresses: tuple[str, str] = ("10.77.0.1", "10.77.0.2")

    def cut(self) -> None:
        """Nothing passes any more, and neither end sees it happen."""
        _ip("-n", self.bridge, "link", "set", "port0", "nomaster")

    def heal(self) -> None:
        _ip("-n", self.bridge, "link", "set", "port0", "master", "bridge")


@contextmanager
def pair() -> Iterator[Pair]:
    """The two networks, gone afterwards."""
    names = tuple(f"wand-{os.getpid()}-{which}" for which in ("a", "b", "bridge"))
    made: list[str] = []
    try:
        for name in names:
            _ip("netns", "add", name)
            made.append(name)
        one = Pair((names[0], names[1]), names[2])
        _ip("-n", one.bridge, "link", "add", "bridge", "type", "bridge")
        _ip("-n", one.bridge, "link", "set", "bridge", "up")
        for number, (name, address) in enumerate(zip(one.names, one.addresses, strict=True)):
            _connect(one.bridge, name, f"port{number}", address)
        yield one
    finally:
        for name in made:
            _ip("netns", "delete", name)


def _connect(bridge: str, name: str, port: str, address: str) -> None:
    ends = ("link", "add", port, "netns", bridge, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip(*ends)
    _ip("-n", bridge, "link", "set", port, "master", "bridge", "up")
    _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
    for device in ("eth0", "lo"):
        _ip("-n", name, "link", "set", device, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
