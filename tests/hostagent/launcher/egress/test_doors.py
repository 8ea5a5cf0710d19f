"""The doors of jobs' networks, without a network."""

import socket

from wand_hostagent.launcher.egress.doors import Door, Hall
from wand_hostagent.launcher.egress.resolver import Files, Resolver
from wand_hostagent.launcher.egress.session import Tools
from wand_hostagent.launcher.loop import Loop


class Endless(socket.socket):
    """A socket to which somebody connects anew as soon as a connection was taken."""

    taken = 0

    def accept(self) -> tuple[socket.socket, None]:
        self.taken += 1
        assert self.taken < 1000
        return socket.socket(), None


def test_whoever_connects_without_end_does_not_keep_the_proxy() -> None:
    loop = Loop()
    with Endless() as listening:
        Door(1, listening, Hall(Tools(loop, Resolver(loop, Files())), lambda *_: None)).leave()
        assert listening.taken
