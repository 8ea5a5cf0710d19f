"""The one request of a connection, read strictly: CONNECT, or a plain `http://` address.

Two readers that understand one text differently are how requests are smuggled. So whatever has more than one
reading is refused: bare line ends, folded lines, two lengths, a Host that is not the target, space where
none belongs. What goes on is not what came but what was understood, written anew.
"""

import re
from dataclasses import dataclass

from wand_hostagent.launcher.egress.destinations import Target, Unclear, read_host, read_target

MOST_BYTES = 32 * 1024
MOST_FIELDS = 100
END = b"\r\n\r\n"
_LINE_BYTES = 8 * 1024
_TLS = b"\x16"
_METHOD = re.compile(rb"[A-Z](?:[A-Z-]{0,28}[A-Z])?")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}+):[ \t]*+([\x20-\x7e\x80-\xff\t]*+)")
_VERSIONS = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}
_DIGITS = re.compile(rb"[0-9]{1,18}")
# What speaks of one connection only, and ends with it: RFC 9110, section 7.6.1.
_OF_THE_HOP = frozenset({
    b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"proxy-authorization",
    b"proxy-authenticate", b"http2-settings",
})  # fmt: skip
_NEVER_DROPPED = frozenset({b"host", b"content-length", b"transfer-encoding"})

_Fields = list[tuple[bytes, bytes]]


class Unreadable(Exception):
    """A request that is refused before its target counts; `status` is of HTTP."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `head` is what the destination gets of it, and is empty for a tunnel."""

    target: Target
    is_tunnel: bool
    head: bytes = b""
    body_bytes: int = 0
    is_chunked: bool = False  # the body says itself where it ends


def check_start(heard: bytes) -> None:
    """Whether what was heard so far can become a request: who speaks otherwise is not kept waiting.

    Raises:
        Unreadable: it cannot.
    """
    if heard[:1] == _TLS:
        raise Unreadable("this proxy is spoken to without TLS: its own address begins with http://")
    if not heard[:1].isalpha():
        raise Unreadable("this is an HTTP proxy, and what was said to it is no HTTP")
    end = heard.find(b"\n")
    if end >= 0 and heard[end - 1 : end] != b"\r":
        raise Unreadable("a line must end with CR LF")


def read(head: bytes) -> Request:
    """The request whose first bytes these are, its empty line included.

    Raises:
        Unreadable: it could be understood in more than one way, or is none that this proxy takes.
    """
    first, *rest = _lines(head)
    method, target, version = _first(first)
    fields = [_field(line) for line in rest]
    if method == b"CONNECT":
        return _tunnel(target, fields)
    return _forward(method, target, version, fields)


def _lines(head: bytes) -> list[bytes]:
    if len(head) > MOST_BYTES or not head.endswith(END):
        raise Unreadable(f"the head of a request has at most {MOST_BYTES} bytes", 431)
    lines = head.removesuffix(END).split(b"\r\n")
    if len(lines) - 1 > MOST_FIELDS or max(map(len, lines)) > _LINE_BYTES:
        raise Unreadable(f"at most {MOST_FIELDS} fields, each of at most {_LINE_BYTES} bytes", 431)
    return lines


def _first(line: bytes) -> tuple[bytes, bytes, bytes]:
    parts = line.split(b" ")
    if len(parts) != 3:
        raise Unreadable("the first line must be METHOD TARGET HTTP/1.1")
    if not _METHOD.fullmatch(parts[0]):
        raise Unreadable("a method has capital letters, as in GET")
    if not _TARGET.fullmatch(parts[1]):
        raise Unreadable("the address must be printable ASCII; other characters are written as in %C3%BC")
    if parts[2] not in _VERSIONS:
        raise Unreadable("only HTTP/1.1 and HTTP/1.0 are understood", 505)
    return parts[0], parts[1], parts[2]


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = _FIELD.fullmatch(line)
    if found is None:
        raise Unreadable("a field must be NAME: VALUE on one line, without control characters")
    return found[1], found[2].rstrip(b" \t")


def _only(fields: _Fields, name: bytes) -> bytes | None:
    """The value of a field that may be there once."""
    values = [value for one, value in fields if one.lower() == name]
    if len(values) > 1:
        raise Unreadable(f"there is more than one {name.decode()}")
    return values[0] if values else None


# -- a tunnel --------------------------------------------------------------------------------------------


def _tunnel(untrusted: bytes, fields: _Fields) -> Request:
    try:
        target = read_target(untrusted.decode("ascii"))
    except Unclear as error:
        raise Unreadable(f"the target of CONNECT {error}") from error
    if _body(fields) or _is_chunked(fields):
        raise Unreadable("CONNECT has no body")
    _same_host(fields, target, 443)
    return Request(target=target, is_tunnel=True)


# -- a request that is sent on ---------------------------------------------------------------------------


def _forward(method: bytes, untrusted: bytes, version: bytes, fields: _Fields) -> Request:
    scheme, colon, rest = untrusted.partition(b"://")
    if not colon:
        raise Unreadable("this is a proxy: the target must be http://HOST/PATH, or HOST:PORT of CONNECT")
    if scheme.lower() != b"http":
        raise Unreadable("the address must begin with http://; for all else there is CONNECT")
    authority, path = _divided(rest)
    target = _authority(authority, 80)
    _same_host(fields, target, 80)
    length, is_chunked = _body(fields), _is_chunked(fields)
    if is_chunked and version != b"HTTP/1.1":
        raise Unreadable("Transfer-Encoding is of HTTP/1.1")
    dropped = _OF_THE_HOP | _dropped(fields)
    kept = [(name, value) for name, value in fields if name.lower() not in dropped | {b"host"}]
    lines = [
        b" ".join((method, path, version)),
        b"Host: " + target.authority.encode(),
        *(name + b": " + value for name, value in kept),
        b"Connection: close",
    ]
    packed = b"\r\n".join(lines) + END
    return Request(target=target, is_tunnel=False, head=packed, body_bytes=length, is_chunked=is_chunked)


def _divided(rest: bytes) -> tuple[bytes, bytes]:
    """Authority and path of what follows `http://`."""
    if b"#" in rest or b"\\" in rest:
        raise Unreadable("the address has a character that does not belong there")
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    path = rest[end:]
    return rest[:end], path if path.startswith(b"/") else b"/" + path


def _authority(untrusted: bytes, port: int) -> Target:
    """A host, and its port where it names one; without a name or a password before it."""
    text = untrusted.decode("latin-1")
    host = text if text.endswith("]") or ":" not in text else ""
    try:
        return read_host(host, port) if host else read_target(text)
    except Unclear as error:
        raise Unreadable(f"the host {error}") from error


def _same_host(fields: _Fields, target: Target, port: int) -> None:
    host = _only(fields, b"host")
    if host is not None and _authority(host, port) not in {target, _bare(target, port)}:
        raise Unreadable("Host is not the target")


def _bare(target: Target, port: int) -> Target:
    """The target as a Host without a port means it: some clients leave it out though it is another."""
    return Target(target.host, port, target.family)


def _body(fields: _Fields) -> int:
    """How many bytes follow the head, by its own word."""
    length = _only(fields, b"content-length")
    if length is None:
        return 0
    if not _DIGITS.fullmatch(length):
        raise Unreadable("Content-Length must be a number")
    return int(length)


def _is_chunked(fields: _Fields) -> bool:
    """Whether chunks follow the head."""
    encoding = _only(fields, b"transfer-encoding")
    if encoding is None:
        return False
    if encoding.lower() != b"chunked":
        raise Unreadable("of Transfer-Encoding, only chunked is understood", 411)
    if _only(fields, b"content-length") is not None:
        raise Unreadable("a body has a Content-Length or a Transfer-Encoding, not both")
    return True


def _dropped(fields: _Fields) -> frozenset[bytes]:
    """The fields that Connection says are for this hop alone."""
    words = [word for name, value in fields if name.lower() == b"connection" for word in value.split(b",")]
    named = frozenset(word.strip(b" \t").lower() for word in words)
    if named & _NEVER_DROPPED:
        raise Unreadable("Connection names a field that is not its own")
    return named
