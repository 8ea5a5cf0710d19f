"""Log records for systemd's journal, with a field for each of their parts: its native protocol, by hand.

`journalctl WAND_REQUEST_ID=…` finds one call in the logs of both halves. The protocol:
https://systemd.io/JOURNAL_NATIVE_PROTOCOL
"""

import json
import logging
import os
import re
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, TextIO

_SOCKET = "/run/systemd/journal/socket"
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog(3)
_TOLD_BY_THE_JOURNAL = {"ts", "level"}
_NAME_LETTERS = 64  # the most in the name of a field


class Handler(logging.StreamHandler[TextIO]):
    """Sends each record to the journal; where that does not take it, writes it to the stream as ever."""

    def __init__(
        self, stream: TextIO, told: Callable[[logging.LogRecord], Mapping[str, Any]], path: str = _SOCKET
    ) -> None:
        """`told` makes the fields of a record, clean of secrets; `path` is where the journal listens."""
        super().__init__(stream)
        self._told = told
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def close(self) -> None:
        self._socket.close()
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._socket.sendto(message(self._told(record)), socket.MSG_DONTWAIT, self._path)
        except OSError:
            super().emit(record)


def is_behind(stream: TextIO) -> bool:
    """Whether what is written to the stream lands in the journal; see systemd.exec(5), JOURNAL_STREAM."""
    device, colon, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        about = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return bool(colon) and (device, inode) == (str(about.st_dev), str(about.st_ino))


def message(fields: Mapping[str, Any]) -> bytes:
    """One entry: a sentence for people, and each field as WAND_NAME."""
    rest = {name: value for name, value in fields.items() if name not in _TOLD_BY_THE_JOURNAL}
    shown = " ".join(
        f"{name}={_text(value)}" for name, value in rest.items() if name not in {"event", "component"}
    )
    entry = {
        "MESSAGE": f"{fields.get('event', '')} {shown}".strip(),
        "PRIORITY": str(_PRIORITIES.get(fields["level"], 6)),
        "SYSLOG_IDENTIFIER": f"wand-{fields['component']}",
        **{_name(name): _text(value) for name, value in rest.items()},
    }
    return b"".join(_field(name, value.encode("utf-8", "backslashreplace")) for name, value in entry.items())


def _name(name: str) -> str:
    return f"WAND_{re.sub('[^A-Z0-9]', '_', name.upper())}"[:_NAME_LETTERS]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _field(name: str, value: bytes) -> bytes:
    if b"\n" not in value:
        return b"%s=%s\n" % (name.encode(), value)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(value)), value)
