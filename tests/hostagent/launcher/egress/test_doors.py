"""The doors of jobs' networks, without a network."""

import socket

from wand_hostagent.launcher.egress.destinations import Destinations
from wand_hostagent.launcher.egress.doors import FEW, FOR_FEW, MOST, Door, Hall, Job
from wand_hostagent.launcher.egress.resolver import Files, Resolver
from wand_hostagent.launcher.egress.session import Session, Tools
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


def test_no_jobs_can_take_all_connections_from_another() -> None:
    loop = Loop()
    tools = Tools(loop, Resolver(loop, Files()))
    hall = Hall(tools, lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        many, few = (Door(number, listening.dup(), hall) for number in (1, 2))
        for door in (many, few):
            door.take(Job("j", "p", Destinations(())))
        one = Session(0, socket.socket(), many, tools)
        hall.sessions = dict.fromkeys(range(MOST - FOR_FEW), one)
        many._sessions = dict.fromkeys(range(FEW), one)
        assert (many._is_full, few._is_full) == (True, False)
        many.close()
        few.close()
