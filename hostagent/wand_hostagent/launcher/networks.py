"""Network namespaces that jobs have left, kept for the next: one is costly to make and to end.

One in which the kernel still remembers a connection is not kept: the next job could see between which ports
it was, and could not listen on them for a minute.
"""

import os

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.gateway import Gateway

_MOST = 64  # of each kind
_COUNTS_BYTES = 512


class Networks:
    """Those that nobody is in; each is a descriptor, and none is -1."""

    def __init__(self, gateway: Gateway | None) -> None:
        self._gateway = gateway
        self._left: dict[str, list[int]] = {}
        self._counts: dict[int, int] = {}  # of each, the open file that says how many sockets are in it

    def take(self, kind: str) -> int:
        """One that is there, or -1."""
        left = self._left.get(kind)
        return left.pop() if left else -1

    def give_back(self, kind: str, network: int) -> None:
        """One that was taken and not used."""
        if network >= 0:
            self._keep(kind, network)

    def leave(self, kind: str, network: int) -> None:
        """All processes of its job are gone."""
        if network < 0:
            return
        if self._gateway is not None and kind == "proxy":
            self._gateway.leave(network, lambda: self._keep(kind, network))
        else:
            self._keep(kind, network)

    def close(self, network: int) -> None:
        """One that is used no more."""
        if network < 0:
            return
        if self._gateway is not None:
            self._gateway.close(network)
        if network in self._counts:
            os.close(self._counts.pop(network))
        os.close(network)

    def _keep(self, kind: str, network: int) -> None:
        left = self._left.setdefault(kind, [])
        if len(left) < _MOST and self._is_silent(kind, network):
            left.append(network)
        else:
            self.close(network)

    def _is_silent(self, kind: str, network: int) -> bool:
        """Whether no connection is left there, nor the memory of one; the proxy keeps a door in its own."""
        try:
            if network not in self._counts:
                self._counts[network] = _open_counts(network)
            told = os.pread(self._counts[network], _COUNTS_BYTES, 0)
        except OSError:
            return False
        return b" tw 0 " in told and (kind == "proxy" or b"TCP: inuse 0 " in told)


def _open_counts(network: int) -> int:
    """The file of proc(5) that counts the sockets of that network, which we have to be in for that."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.call("setns", network, syscalls.CLONE_NEWNET)
        try:
            return os.open("/proc/thread-self/net/sockstat", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            syscalls.call("setns", home, syscalls.CLONE_NEWNET)
    finally:
        os.close(home)
