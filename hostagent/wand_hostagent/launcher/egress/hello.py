"""The name in the first bytes of a TLS connection (SNI): who the client means to talk to.

Nothing is decrypted. A connection that begins as TLS does has to go on so, or it is refused: half a greeting
must not be a way to say one name to us and another to the destination. See RFC 8446, 4.1.2, and RFC 6066, 3.
"""

import re
from dataclasses import dataclass

MOST_BYTES = 16 * 1024
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _HOST_NAME = 0, 0
_NAME = re.compile(rb"[\x21-\x7e]+")


class NotSo(Exception):
    """It began as TLS does and did not go on so."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the first bytes say: whether more of them are needed, and a name where there is one."""

    whole: bool
    name: str = ""


class _Short(Exception):
    """There are not enough bytes yet."""


@dataclass(slots=True)
class _Reader:
    left: memoryview

    def take(self, count: int) -> memoryview:
        if len(self.left) < count:
            raise _Short
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def vector(self, count: int) -> "_Reader":
        """What follows a length of so many bytes."""
        return _Reader(self.take(self.number(count)))


def read(first: bytes) -> Told:
    """What the first bytes of a client say.

    Raises:
        NotSo: they begin as TLS does and do not go on so.
    """
    if first[:1] != bytes([_HANDSHAKE]):
        return Told(whole=bool(first))
    try:
        return Told(whole=True, name=_name(_greeting(first)))
    except _Short as error:
        if len(first) >= MOST_BYTES:
            raise NotSo("the greeting is too long") from error
        return Told(whole=False)


def _greeting(first: bytes) -> bytes:
    """The ClientHello, put together from as many records as it is spread over."""
    records, handshake = _Reader(memoryview(first)), bytearray()
    while True:
        kind, version, part = records.number(1), records.number(2), records.vector(2).left
        if kind != _HANDSHAKE or version >> 8 != 3 or not part:
            raise NotSo("a record is none of TLS")
        handshake += part
        if handshake[0] != _CLIENT_HELLO:
            raise NotSo("it does not begin with a ClientHello")
        length = int.from_bytes(handshake[1:4], "big")
        if len(handshake) >= 4 + length and len(handshake) >= 4:
            return bytes(handshake[4 : 4 + length])


def _name(greeting: bytes) -> str:
    """The host name in it; empty where it has none."""
    fields = _Reader(memoryview(greeting))
    try:
        fields.take(2 + 32)  # version, random
        for count in (1, 2, 1):  # session, ciphers, compression
            fields.vector(count)
        if not fields.left:
            return ""
        extensions = fields.vector(2)
        names = []
        while extensions.left:
            kind, content = extensions.number(2), extensions.vector(2)
            if kind == _SERVER_NAME:
                names.append(_host_name(content))
    except _Short as error:
        raise NotSo("a length in it is wrong") from error
    if len(names) > 1:
        raise NotSo("it has two names")
    return names[0] if names else ""


def _host_name(content: _Reader) -> str:
    listed = content.vector(2)
    kind, name = listed.number(1), bytes(listed.vector(2).left)
    if kind != _HOST_NAME or listed.left or not _NAME.fullmatch(name):
        raise NotSo("its name cannot be read")  # nor is it repeated: what it holds is the job's choice
    return name.decode("ascii").lower()
