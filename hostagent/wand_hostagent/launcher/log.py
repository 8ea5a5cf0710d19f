"""JSON lines on stderr, or entries of systemd's journal where that reads stderr.

A reader that is slow loses lines, and never stops the launcher.
"""

import json
import os
import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

component = "launcher"  # whose lines these are; the proxy says so at its start
_JOURNAL = "/run/systemd/journal/socket"
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}  # syslog(3)
_LINE_BYTES = 4096  # PIPE_BUF: a pipe that polls writable takes this much without blocking


def write(level: str, event: str, **fields: Any) -> None:
    """One event as one line, unless stderr is full or gone."""
    if _is_read_by_journal() and _told(level, event, fields):
        return
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"ts": stamp, "level": level, "component": component, "event": event, **fields}
    packed = json.dumps(line, separators=(",", ":"), default=str).encode()
    if len(packed) >= _LINE_BYTES:
        line = {**line, **{name: str(value)[:200] for name, value in fields.items()}}
        packed = json.dumps(line, separators=(",", ":")).encode()[: _LINE_BYTES - 1]
    _put(packed + b"\n")


def _is_read_by_journal() -> bool:
    """Whether stderr is the journal's: systemd.exec(5), JOURNAL_STREAM."""
    try:
        about = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"


def _told(level: str, event: str, fields: Mapping[str, Any]) -> bool:
    """Send an entry; false where the journal does not take it."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.sendto(entry(level, event, fields), _JOURNAL)
    except OSError:
        return False
    return True


def entry(level: str, event: str, fields: Mapping[str, Any]) -> bytes:
    """An event in the journal's native protocol, with WAND_NAME for each of its fields."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in fields.items()
    }
    lines = {
        "MESSAGE": " ".join([event, *(f"{name}={text}" for name, text in texts.items())]),
        "PRIORITY": str(_PRIORITIES[level]),
        "SYSLOG_IDENTIFIER": f"wand-{component}",
        "WAND_COMPONENT": component,
        "WAND_EVENT": event,
        **{f"WAND_{name.upper()}": text for name, text in texts.items()},
    }
    return b"".join(_field(name, text.encode(errors="backslashreplace")) for name, text in lines.items())


def _field(name: str, text: bytes) -> bytes:
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(text)), text)


def _put(line: bytes) -> None:
    try:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        if any(ready & select.POLLOUT for _, ready in poll.poll(0)):
            os.write(2, line)
    except OSError:
        return
