"""`wand-server stdio`: a pipe from a client's stdin and stdout to the running server's socket.

It reads nothing, holds no key, and loads next to nothing: a client starts it for every session, and waits.
"""

import _socket  # what `socket` is made of, which loads five times as much as all the rest here
import importlib
import os
import select
import sys

DEFAULT_SOCKET = "/run/wand-server/stdio.sock"
SOCKET_VARIABLE = "WAND_SOCKET"

_USAGE = """\
usage: wand-server stdio [--socket PATH]
       wand-server stdio --embedded [FOLDER]   (--embedded --help tells more)
"""
_CHUNK = 65536
_PIPE_CHUNK = 4096  # a pipe that is ready takes so much without blocking: PIPE_BUF, pipe(7)
_BUFFER_CEILING = 262144
_PARENT_CHECK_MS = 5000


def main(argv: list[str]) -> int:
    """Run `wand-server stdio`, until the client or the server ends the conversation."""
    path = _path(argv)
    if path is None:
        is_help = not {"-h", "--help"}.isdisjoint(argv)
        (sys.stdout if is_help else sys.stderr).write(_USAGE)
        return 0 if is_help else 2
    parent = os.getppid()
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        server.connect(path)
    except KeyboardInterrupt:
        return 130  # as a shell reports SIGINT
    except OSError as why:
        unreachable = importlib.import_module("wand_server.unreachable")
        return int(unreachable.tell(path, why.strerror or str(why)))
    return _Pipe(server, parent).run()


class _Pipe:
    """Both directions, each with a bounded buffer, so that neither waits for the other."""

    def __init__(self, server: _socket.socket, parent: int) -> None:
        server.setblocking(False)
        self._server = server
        self._parent = parent
        self._parents_end = _end_of(parent)
        self._to_server = bytearray()
        self._to_client = bytearray()
        self._client_speaks = True
        self._server_speaks = True
        self._half_closed = False

    def run(self) -> int:
        """Copy until one side is done; 1 where the server ended before the client did."""
        try:
            while self._server_speaks or self._to_client:
                if not self._step():
                    return 0
        except KeyboardInterrupt:
            return 0
        finally:
            self._server.close()
        if self._half_closed:
            return 0
        sys.stderr.write(
            "wand-server stdio: the server closed the connection: it stops, or starts again; so can you\n"
        )
        return 1

    def _step(self) -> bool:
        """Copy what is ready; False once the client is gone."""
        ready = dict(self._poll().poll(_PARENT_CHECK_MS))
        is_orphan = self._parents_end in ready or os.getppid() != self._parent
        if is_orphan or ready.get(1, 0) & select.POLLERR:
            return False
        if 0 in ready:
            self._hear_client()
        events = ready.get(self._server.fileno(), 0)
        if events & select.POLLOUT:
            self._tell_server()
        if events & ~select.POLLOUT:
            self._hear_server()
        self._half_close()
        return not ready.get(1, 0) & select.POLLOUT or self._tell_client()

    def _poll(self) -> select.poll:
        poll = select.poll()
        if self._client_speaks and len(self._to_server) < _BUFFER_CEILING:
            poll.register(0, select.POLLIN)
        room = self._server_speaks and len(self._to_client) < _BUFFER_CEILING
        wanted = (select.POLLIN if room else 0) | (select.POLLOUT if self._to_server else 0)
        if wanted:
            poll.register(self._server.fileno(), wanted)
        poll.register(1, select.POLLOUT if self._to_client else 0)
        if self._parents_end is not None:
            poll.register(self._parents_end, select.POLLIN)
        return poll

    def _hear_client(self) -> None:
        read = os.read(0, _CHUNK)
        self._to_server += read
        self._client_speaks = bool(read)

    def _hear_server(self) -> None:
        try:
            read = self._server.recv(_CHUNK)
        except BlockingIOError:
            return
        except ConnectionError:
            read = b""
        self._to_client += read
        self._server_speaks = bool(read)

    def _tell_server(self) -> None:
        try:
            del self._to_server[: self._server.send(self._to_server)]
        except ConnectionError:
            self._to_server.clear()  # it reads no more, but what it said before may still be on its way

    def _tell_client(self) -> bool:
        try:
            del self._to_client[: os.write(1, self._to_client[:_PIPE_CHUNK])]
        except BrokenPipeError:
            return False
        return True

    def _half_close(self) -> None:
        """Tell the server that the client has said its last, and go on listening."""
        if self._client_speaks or self._to_server or self._half_closed:
            return
        self._half_closed = True
        try:
            self._server.shutdown(_socket.SHUT_WR)
        except OSError:
            return  # it has hung up, of which the next look tells


def _path(words: list[str]) -> str | None:
    match words:
        case []:
            return os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET
        case ["--socket", path]:
            return path
        case [word] if word.startswith("--socket="):
            return word.removeprefix("--socket=")
        case _:
            return None


def _end_of(parent: int) -> int | None:
    """A descriptor that is ready once the parent is dead: stdin does not tell where another holds its end.

    None where the kernel gives none, as of a parent in another namespace: then a look now and then tells.
    """
    try:
        return os.pidfd_open(parent)
    except OSError:
        return None
