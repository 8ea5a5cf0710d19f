"""The proxy: all its parts, built once, and what it does when the launcher says something.

It lives in the machine's network, jobs live in networks of their own, and a socket belongs to the network in
which it was made: so the launcher hands over one that listens in a job's network, and what connects to it
there is answered from here.
"""

import argparse
import functools
import os
import pwd
import socket
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from wand_hostagent.launcher import listener, log
from wand_hostagent.launcher.egress import confine, wire
from wand_hostagent.launcher.egress.destinations import Unclear, read_all
from wand_hostagent.launcher.egress.doors import Door, Hall, Job
from wand_hostagent.launcher.egress.link import Link
from wand_hostagent.launcher.egress.resolver import Files, Resolver
from wand_hostagent.launcher.egress.session import Tools
from wand_hostagent.launcher.loop import Loop
from wand_hostagent.launcher.refusal import Refused

_SWEEP_SECONDS = 1.0
_CREDENTIALS = struct.Struct("=iII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The command line."""

    fd: int | None
    socket: str
    peer_uid: int | None
    ready_fd: int | None
    resolv_conf: str
    hosts: str


class Proxy:
    """One launcher's proxy, or the next one's when that is gone."""

    def __init__(self, files: Files) -> None:
        self.loop = Loop()
        self._tools = Tools(self.loop, Resolver(self.loop, files))
        self._hall = Hall(self._tools, self._tell)
        self._link: Link | None = None
        self.is_over = False
        self._table: dict[str, Callable[[Mapping[str, Any], int | None], None]] = {
            "listen": self._listen, "take": self._take, "leave": self._leave, "forget": self._forget,
            "go": self._go, "deny": self._deny,
        }  # fmt: skip

    def serve(self, end: socket.socket, walls: Sequence[str]) -> None:
        """Work for the launcher at the other end until it is gone."""
        self._link = Link(self.loop, end, wire.TO_PROXY, self._hear)
        self._link.lost = self._lost
        self._link.tell("ready", {"walls": list(walls)})
        self.is_over = False
        self._sweep()
        while not self.is_over:
            self.loop.turn()

    def _tell(self, say: str, fields: Mapping[str, Any]) -> None:
        if self._link is not None:
            self._link.tell(say, fields)

    def _lost(self, why: str) -> None:
        log.write("info", "launcher gone", why=why)
        self._link = None
        self.loop.later(0.0, self._finish)  # whoever noticed is in the middle of something

    def _finish(self) -> None:
        self._hall.close()
        self.is_over = True

    def _sweep(self) -> None:
        if not self.is_over:
            self._hall.look_after()
            self._leave_if_stale()
            self.loop.later(_SWEEP_SECONDS, self._sweep)

    def _leave_if_stale(self) -> None:
        """End, to be started again, where nobody is served and the lists of names are others now."""
        if self._tools.resolver.is_stale and not self._hall.sessions:
            log.write("info", "names changed", then="the proxy starts again")
            sys.exit(0)

    # -- what the launcher says --------------------------------------------------------------------------

    def _hear(self, say: str, fields: Mapping[str, Any], descriptor: int | None) -> None:
        self._table[say](fields, descriptor)

    def _listen(self, fields: Mapping[str, Any], descriptor: int | None) -> None:
        number = fields["network"]
        self._forget(fields, None)
        self._hall.doors[number] = Door(number, socket.socket(fileno=descriptor), self._hall)

    def _take(self, fields: Mapping[str, Any], _: int | None) -> None:
        door = self._hall.doors.get(fields["network"])
        if door is None:
            return
        try:
            destinations = read_all(fields["destinations"])
        except Unclear as error:  # the launcher has read them before, so it is none of ours
            log.write("error", "destinations not understood", why=str(error))
            return
        door.take(Job(fields["job"], fields["profile"], destinations))

    def _leave(self, fields: Mapping[str, Any], _: int | None) -> None:
        door = self._hall.doors.get(fields["network"])
        if door is not None:
            door.leave()
        self._tell("left", {"network": fields["network"]})

    def _forget(self, fields: Mapping[str, Any], _: int | None) -> None:
        door = self._hall.doors.pop(fields["network"], None)
        if door is not None:
            door.close()

    def _go(self, fields: Mapping[str, Any], _: int | None) -> None:
        session = self._hall.sessions.get(fields["connection"])
        if session is None or not session.go():
            nothing = {"address": "", "sent": 0, "received": 0, "seconds": 0}
            self._tell("ended", {"connection": fields["connection"], **nothing, "why": "it was given up"})

    def _deny(self, fields: Mapping[str, Any], _: int | None) -> None:
        session = self._hall.sessions.get(fields["connection"])
        if session is not None:
            session.deny(fields["why"])


def main(argv: Sequence[str]) -> int:
    """The proxy, from start to stop; its exit code."""
    told = _told(argv)
    log.component = "egress"
    confine.settle(with_parent=told.fd is not None)
    files = Files(told.resolv_conf, told.hosts)
    walls = functools.partial(confine.put_up, (files.settings, files.hosts))
    if told.fd is not None:
        end = socket.socket(fileno=told.fd)
        os.set_inheritable(told.fd, False)
        Proxy(files).serve(end, walls())
        return 0
    try:
        listener.make_way(told)
        door = listener.open_socket(told)
    except Refused as refusal:
        log.write("error", "proxy cannot run", why=refusal.message)
        return 1
    listener.tell_ready(told)  # behind the walls there is no way to tell
    return _wait(door, told, files, walls())


def _told(argv: Sequence[str]) -> Told:
    parser = argparse.ArgumentParser(
        prog="wand-egress", description="Let jobs reach what their profiles permit.", allow_abbrev=False
    )
    parser.add_argument("--fd", type=int, help="the descriptor of a socket whose other end is the launcher")
    parser.add_argument("--socket", default="", help="where the launcher connects; or LISTEN_FDS")
    parser.add_argument("--peer-uid", type=_uid, metavar="USER", help="who may connect beside root and us")
    parser.add_argument("--ready-fd", type=int, help="write a byte to this descriptor when we listen")
    parser.add_argument("--resolv-conf", default=Files().settings, help="name servers; resolv.conf(5)")
    parser.add_argument("--hosts", default=Files().hosts, help="names that are known; hosts(5)")
    return Told(**vars(parser.parse_args(argv)))


def _wait(door: socket.socket, told: Told, files: Files, walls: Sequence[str]) -> NoReturn:
    """Work for whichever launcher connects, one at a time."""
    log.write("info", "proxy ready", walls=walls)
    allowed = {0, os.geteuid(), told.peer_uid}
    while True:
        end, _ = door.accept()
        packed = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(packed)[1] in allowed:
            Proxy(files).serve(end, walls)
        end.close()


def _uid(text: str) -> int:
    """A user's number; units of systemd know the name alone."""
    try:
        return int(text) if text.isascii() and text.isdigit() else pwd.getpwnam(text).pw_uid
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"there is no user {text!r}") from error
