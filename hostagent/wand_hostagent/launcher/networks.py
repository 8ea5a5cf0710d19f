"""Network namespaces that jobs have left, kept for the next: one is costly to make and to end.

One in which the kernel still remembers a connection is not kept: the next job could see between which ports
it was, and could not listen on them for a minute. Nor is one in which a socket is left: a job can have given
it to another one, over a socket file in a workspace, and that one would reach what the next job listens on.
What leaves no trace (an open file of /proc/net) can be given away too, so one goes only to jobs of the same
profile and principal, which share their files anyway.
"""

import os

from wand_hostagent.launcher import namespaces, syscalls
from wand_hostagent.launcher.gateway import Gateway
from wand_hostagent.launcher.walls import Walls

_MOST = 64  # in all; the one that was left first goes first
_COUNTS_BYTES = 512


class Networks:
    """Those that nobody is in; each is a descriptor, and none is -1."""

    def __init__(self, gateway: Gateway | None) -> None:
        self._gateway = gateway
        self._left: list[tuple[tuple[str, ...], int]] = []  # whose each was, the oldest first
        self._counts: dict[int, int] = {}  # of each, the open file that says how many sockets are in it

    def take(self, walls: Walls) -> int:
        """One that a job with such walls has left, or -1."""
        wanted = _whose(walls)
        for place in range(len(self._left) - 1, -1, -1):
            if self._left[place][0] == wanted:
                return self._left.pop(place)[1]
        return -1

    def give_back(self, walls: Walls, network: int) -> None:
        """One that was taken and not used."""
        if network >= 0:
            self._keep(walls, network)

    def leave(self, walls: Walls, network: int) -> None:
        """All processes of its job are gone."""
        if network < 0:
            return
        if self._gateway is not None and walls.network == "proxy":
            self._gateway.leave(network, lambda: self._keep(walls, network))
        else:
            self._keep(walls, network)

    def close(self, network: int) -> None:
        """One that is used no more."""
        if network < 0:
            return
        if self._gateway is not None:
            self._gateway.close(network)
        if network in self._counts:
            os.close(self._counts.pop(network))
        os.close(network)

    def _keep(self, walls: Walls, network: int) -> None:
        if not self._is_silent(network, sockets=int(walls.network == "proxy")):
            self.close(network)
            return
        self._left.append((_whose(walls), network))
        if len(self._left) > _MOST:
            self.close(self._left.pop(0)[1])

    def _is_silent(self, network: int, sockets: int) -> bool:
        """Whether no more than so many are left there, nor the memory of a connection; a door is one."""
        try:
            if network not in self._counts:
                self._counts[network] = _open_counts(network)
            told = os.pread(self._counts[network], _COUNTS_BYTES, 0)
        except OSError:
            return False
        return told.startswith(b"sockets: used %d\n" % sockets) and b" tw 0 " in told


def _whose(walls: Walls) -> tuple[str, ...]:
    return (walls.network, *walls.whose)


def _open_counts(network: int) -> int:
    """The file of proc(5) that counts the sockets of that network, which we have to be in for that."""
    return namespaces.opened_elsewhere(
        "/proc/thread-self/net/sockstat", "setns", network, syscalls.CLONE_NEWNET
    )
