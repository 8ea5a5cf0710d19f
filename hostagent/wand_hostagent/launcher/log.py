"""JSON lines on stderr; a reader that is slow loses lines, and never stops the launcher."""

import json
import os
import select
import time
from typing import Any

component = "launcher"  # whose lines these are; the proxy says so at its start
_LINE_BYTES = 4096  # PIPE_BUF: a pipe that polls writable takes this much without blocking


def write(level: str, event: str, **fields: Any) -> None:
    """One event as one line, unless stderr is full or gone."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"ts": stamp, "level": level, "component": component, "event": event, **fields}
    packed = json.dumps(line, separators=(",", ":"), default=str).encode()
    if len(packed) >= _LINE_BYTES:
        line = {**line, **{name: str(value)[:200] for name, value in fields.items()}}
        packed = json.dumps(line, separators=(",", ":")).encode()[: _LINE_BYTES - 1]
    _put(packed + b"\n")


def _put(line: bytes) -> None:
    try:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        if any(ready & select.POLLOUT for _, ready in poll.poll(0)):
            os.write(2, line)
    except OSError:
        return
