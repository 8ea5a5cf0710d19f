"""Ways out of a job by the proxy, in one file that a job can run; where there is none, as a naive one would.

Each prints what whoever was reached says.
"""

import os
import socket
import sys
import urllib.parse
from collections.abc import Callable

SECONDS = 4


def dial() -> "socket.socket | None":
    """The proxy, if there is one."""
    address = os.environ.get("HTTP_PROXY", "")
    if not address:
        return None
    told = urllib.parse.urlsplit(address)
    assert told.hostname is not None
    return socket.create_connection((told.hostname, told.port or 0), SECONDS)


def tunnel(host: str, port: str, *fields: str) -> None:
    """CONNECT to a host that is spelled in some way."""
    head = "".join(f"{one}\r\n" for one in (f"CONNECT {host}:{port} HTTP/1.1", *fields))
    say(head + "\r\n", host, port)


def forward(url: str, host: str, port: str, *fields: str) -> None:
    """A plain request for an address; `host` is who is meant in truth."""
    head = "".join(f"{one}\r\n" for one in (f"GET {url} HTTP/1.1", *fields))
    say(head + "\r\n", host, port)


def raw(text: str, host: str, port: str) -> None:
    """Bytes as they are written, with \\r, \\n and \\0 in them."""
    say(text.encode("latin-1").decode("unicode_escape"), host, port)


def say(text: str, host: str, port: str) -> None:
    proxy = dial()
    if proxy is None:
        proxy = socket.create_connection((host.strip("[]"), int(port)), SECONDS)
    else:
        proxy.sendall(text.encode("utf-8", "surrogateescape"))
    proxy.settimeout(SECONDS)
    while part := proxy.recv(65536):
        sys.stdout.buffer.write(part)
        sys.stdout.flush()


def main() -> None:
    ways: dict[str, Callable[..., None]] = {"tunnel": tunnel, "forward": forward, "raw": raw}
    try:
        ways[sys.argv[1]](*sys.argv[2:])
    except (OSError, UnicodeError) as error:
        print("no:", error, file=sys.stderr)


main()
