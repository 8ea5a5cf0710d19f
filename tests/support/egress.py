"""A real proxy as a child process, and the launcher's side of its socket; servers for it to reach."""

import contextlib
import http.server
import json
import os
import select
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wand_hostagent
from wand_hostagent.launcher.egress import wire

PROGRAM = Path(wand_hostagent.__file__).parent / "launcher" / "egress"
SECONDS = 60.0


@dataclass
class Proxy:
    """A proxy that runs; it answers `connect` as the launcher does, unless `denied` says why not."""

    process: subprocess.Popen[bytes]
    link: socket.socket
    denied: str = ""
    is_slow: bool = False  # it says nothing of itself
    heard: list[dict[str, Any]] = field(default_factory=list)
    given: set[int] = field(default_factory=set)
    doors: dict[int, int] = field(default_factory=dict)
    talks: list[socket.socket] = field(default_factory=list)

    def tell(self, say: str, *descriptors: int, **fields: Any) -> None:
        packed = wire.encode(say, fields)
        if descriptors:
            socket.send_fds(self.link, [packed], descriptors)
        else:
            self.link.send(packed)

    def network(self, destinations: Sequence[str], number: int = 1) -> int:
        """A network whose door is on our own loopback: its port."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.tell("listen", listening.fileno(), network=number)
            self.doors[number] = listening.getsockname()[1]
        self.tell("take", network=number, job=f"j{number}", profile="p", destinations=list(destinations))
        return self.doors[number]

    def wait(self, say: str) -> dict[str, Any]:
        """The next message that says that, which no other wait has given; all are kept."""
        while not (new := [one for one in self.heard if one["say"] == say and id(one) not in self.given]):
            self.receive()
        self.given.add(id(new[0]))
        return new[0]

    def serve(self) -> None:
        """Answer what is there until nothing is."""
        while select.select([self.link], [], [], 0)[0]:
            self.receive()

    def receive(self) -> None:
        message = self._receive()
        self.heard.append(message)
        if message["say"] == "connect" and not self.is_slow:
            self._answer(message["connection"])

    def close(self) -> None:
        self.link.close()
        for one in self.talks:
            one.close()

    def _answer(self, connection: int) -> None:
        if self.denied:
            self.tell("deny", connection=connection, why=self.denied)
        else:
            self.tell("go", connection=connection)

    def _receive(self) -> dict[str, Any]:
        self.link.settimeout(SECONDS)
        raw = self.link.recv(wire.MESSAGE_BYTES)
        if not raw:
            raise ConnectionResetError("the proxy is gone")
        say, fields = wire.decode(raw, wire.TO_LAUNCHER)
        return {"say": say, **fields}

    def talk(self, port: int, request: bytes) -> "Talk":
        self.talks.append(socket.create_connection(("127.0.0.1", port), SECONDS))
        return Talk(self, self.talks[-1], request)


@dataclass
class Talk:
    """One connection of a job to its proxy."""

    proxy: Proxy
    socket: socket.socket
    request: bytes

    def __post_init__(self) -> None:
        self.socket.sendall(self.request)

    def all(self) -> bytes:
        """Everything that comes, to the end, the launcher's part being played meanwhile."""
        parts = []
        while part := self.some():
            parts.append(part)
        self.socket.close()
        return b"".join(parts)

    def some(self) -> bytes:
        """What comes next."""
        while True:
            ready, _, _ = select.select([self.socket, self.proxy.link], [], [], SECONDS)
            if not ready:
                raise TimeoutError("the proxy says nothing")
            if self.proxy.link in ready:
                self.proxy.serve()
            if self.socket in ready:
                try:
                    return self.socket.recv(65536)
                except ConnectionResetError:
                    return b""


@contextmanager
def proxy(folder: Path, hosts: str = "", servers: str = "", before: Sequence[str] = ()) -> Iterator[Proxy]:
    """A proxy that knows these hosts (lines as in hosts(5)) and these name servers."""
    (folder / "hosts").write_text(hosts)
    (folder / "resolv.conf").write_text(servers)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    argv = [
        *before, sys.executable, "-I", "-S", "-E", str(PROGRAM), "--fd", str(theirs.fileno()),
        "--hosts", str(folder / "hosts"), "--resolv-conf", str(folder / "resolv.conf"),
    ]  # fmt: skip
    process = subprocess.Popen(argv, pass_fds=[theirs.fileno()])
    theirs.close()
    one = Proxy(process, ours)
    try:
        one.wait("ready")
        yield one
    finally:
        one.close()
        assert process.wait(SECONDS) == 0


@contextmanager
def listening_at(argv: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A proxy that listens on a socket of its own, as its unit starts it."""
    reader, writer = os.pipe()
    process = subprocess.Popen([*argv, "--ready-fd", str(writer)], pass_fds=[writer])
    os.close(writer)
    try:
        assert os.read(reader, 1) == b"\n"
        yield process
    finally:
        os.close(reader)
        process.terminate()
        process.wait(SECONDS)


# -- what is reached -------------------------------------------------------------------------------------


class _Site(http.server.BaseHTTPRequestHandler):
    """Says what it was asked, header and body."""

    protocol_version = "HTTP/1.1"

    def _say(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        told = {
            "line": self.requestline,
            "headers": self.headers.items(),
            "body": self.rfile.read(length).decode(),
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _say  # noqa: N815 - as the library wants it

    def log_message(self, *_: object) -> None:
        pass


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while part := self.request.recv(65536):
                self.request.sendall(part)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False


@contextmanager
def listening(
    handler: Callable[..., socketserver.BaseRequestHandler], address: str, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """A server on a port of its own; the port."""
    with _Server((address, 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def site(address: str = "127.0.0.1") -> contextlib.AbstractContextManager[int]:
    """A web site that says what it was asked."""
    return listening(_Site, address)


def echo(address: str = "127.0.0.1") -> contextlib.AbstractContextManager[int]:
    """A server that says everything back, to the end."""
    return listening(_Echo, address)


def status(answer: bytes) -> int:
    """Of an HTTP answer."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


def descriptors(pid: int) -> int:
    """How many a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
