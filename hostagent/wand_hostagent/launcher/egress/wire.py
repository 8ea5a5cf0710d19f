"""What the launcher and the proxy say to each other: a closed table, read strictly at both ends.

The socket is SOCK_SEQPACKET: one message a datagram, a JSON object, and with `listen` a descriptor. The
launcher believes nothing of it but that a connection wants to be made: whose it is, the launcher knows.

Launcher to proxy, `say`:

    listen    network                       descriptor: a socket that listens in that network
    take      network job profile destinations   from now on what comes there is of this job
    leave     network                       the job is over: end what is open, and say `left`
    forget    network                       close it
    go        connection                    its record is on the disk: connect
    deny      connection why                it is not: do not

Proxy to launcher, `say`:

    ready     walls                         what holds the proxy itself, in words
    connect   connection network host port addresses tunnel    wants `go` or `deny`
    ended     connection address sent received seconds why
    refused   network host port why more    `more` others were refused since the last such message
    left      network
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from wand_hostagent.launcher.egress.destinations import MOST

MESSAGE_BYTES = 160 * 1024
_MOST_TEXT = 512


class Unreadable(Exception):
    """A message that is not in the table, or not as the table says."""


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_TEXT and value.isprintable()


def _texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MOST and all(map(_text, value))


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


Table = Mapping[str, Mapping[str, Callable[[Any], bool]]]
TO_PROXY: Table = {
    "listen": {"network": _count},
    "take": {"network": _count, "job": _text, "profile": _text, "destinations": _texts},
    "leave": {"network": _count},
    "forget": {"network": _count},
    "go": {"connection": _count},
    "deny": {"connection": _count, "why": _text},
}
TO_LAUNCHER: Table = {
    "ready": {"walls": _texts},
    "connect": {
        "connection": _count, "network": _count, "host": _text, "port": _count, "addresses": _texts,
        "tunnel": _flag,
    },
    "ended": {
        "connection": _count, "address": _text, "sent": _count, "received": _count, "seconds": _seconds,
        "why": _text,
    },
    "refused": {"network": _count, "host": _text, "port": _count, "why": _text, "more": _count},
    "left": {"network": _count},
}  # fmt: skip


def encode(say: str, fields: Mapping[str, Any]) -> bytes:
    return json.dumps({"say": say, **fields}, separators=(",", ":")).encode()


def decode(untrusted: bytes, table: Table) -> tuple[str, dict[str, Any]]:
    """A datagram as what it says and its fields, every one checked for type and size.

    Raises:
        Unreadable: it is not in the table.
    """
    try:
        message = json.loads(untrusted)
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is not JSON") from error
    say = message.pop("say", None) if isinstance(message, dict) else None
    if not isinstance(say, str) or say not in table:
        raise Unreadable("it says nothing that is known")
    wanted = table[say]
    if message.keys() != wanted.keys() or not all(fits(message[name]) for name, fits in wanted.items()):
        raise Unreadable(f"{say} has other fields")
    return say, message
