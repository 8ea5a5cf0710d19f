"""`wand-server stdio`: a pipe from a client's stdin and stdout to the running server's socket.

It reads nothing, holds no key, and loads next to nothing: a client starts it for every session.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence

DEFAULT_SOCKET = "/run/wand-server/stdio.sock"
SOCKET_VARIABLE = "WAND_SOCKET"

_USAGE = """\
usage: wand-server stdio [--socket PATH]
       wand-server stdio --embedded [FOLDER]   (--embedded --help tells more)
"""
_CHUNK = 65536
_PIPE_CHUNK = 4096  # a pipe that is ready takes so much without blocking: PIPE_BUF, pipe(7)
_BUFFER_CEILING = 262144
_LINE_CEILING = 4194304
_PARENT_CHECK_MS = 5000
_PR_SET_PDEATHSIG = 1  # prctl(2)
_INTERNAL_ERROR = -32603


def main(argv: Sequence[str]) -> int:
    """Run `wand-server stdio`, until the client or the server ends the conversation."""
    path = _path(list(argv))
    if path is None:
        is_help = not {"-h", "--help"}.isdisjoint(argv)
        (sys.stdout if is_help else sys.stderr).write(_USAGE)
        return 0 if is_help else 2
    parent = os.getppid()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.connect(path)
    except OSError as why:
        return _no_server(path, why.strerror or str(why))
    _die_with_parent(parent)
    return _Pipe(server, parent).run()


class _Pipe:
    """Both directions, each with a bounded buffer, so that neither waits for the other."""

    def __init__(self, server: socket.socket, parent: int) -> None:
        server.setblocking(False)
        self._server = server
        self._parent = parent
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
        except (_OrphanedError, KeyboardInterrupt):
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
        if os.getppid() != self._parent or ready.get(1, 0) & select.POLLERR:
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
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_WR)


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


class _OrphanedError(Exception):
    """The client that started this pipe is dead."""


def _die_with_parent(parent: int) -> None:
    """Stop when the parent dies; stdin alone does not tell where another process holds its other end.

    The kernel signals the end of the parent's thread too, so the handler looks at the parent itself.
    """

    def look(*_: object) -> None:
        if os.getppid() != parent:
            raise _OrphanedError

    signal.signal(signal.SIGUSR1, look)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)


def _no_server(path: str, why: str) -> int:
    """Answer the client's requests with what is wrong: a client shows that, and hides stderr."""
    message = f"no Wand server answers on {path}: {why}"
    hint = "start it (systemctl start wand-server, or ./dev run), or use: wand-server stdio --embedded FOLDER"
    sys.stderr.write(f"wand-server stdio: {message}; {hint}\n")
    sys.stderr.flush()
    if sys.stdin.isatty():
        return 1
    error = {"code": _INTERNAL_ERROR, "message": f"{message}; {hint}", "data": {"hint": hint}}
    with contextlib.suppress(BrokenPipeError):
        for request_id in _request_ids():
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}) + "\n")
            sys.stdout.flush()
    return 1


def _request_ids() -> Iterator[str | int]:
    """The ids of what the client asks, up to its `initialize`: some ask something else before that."""
    while line := sys.stdin.buffer.readline(_LINE_CEILING):
        try:
            untrusted = json.loads(line)
        except ValueError:
            continue
        if isinstance(untrusted, dict) and isinstance(untrusted.get("id"), str | int):
            yield untrusted["id"]
            if untrusted.get("method") == "initialize":
                return
