"""What `wand-server stdio` says where no server is: to the person, and to the client that started it."""

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

_HINT = "start it (systemctl start wand-server, or ./dev run), or use: wand-server stdio --embedded FOLDER"
_LINE_CEILING = 4194304
_INTERNAL_ERROR = -32603


def tell(path: str, why: str) -> int:
    """Answer the client's requests with what is wrong, for a client shows that and hides stderr; fail."""
    message = f"no Wand server answers on {path}: {why}"
    sys.stderr.write(f"wand-server stdio: {message}; {_HINT}\n")
    sys.stderr.flush()
    return answer({"code": _INTERNAL_ERROR, "message": f"{message}; {_HINT}", "data": {"hint": _HINT}})


def answer_why(why: str) -> int:
    """The same, of a Wand of its own that did not start."""
    return answer({"code": _INTERNAL_ERROR, "message": f"Wand did not start: {why}"})


def answer(error: dict[str, Any]) -> int:
    """Answer the client's requests with that error, where there is a client; fail."""
    if sys.stdin.isatty():
        return 1
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
