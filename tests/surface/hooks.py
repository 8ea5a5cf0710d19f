"""What schemathesis is told of MCP: messages that mean something, sessions that live; and what it reached.

Runs in the environment of packaging/locks/schemathesis.txt; `__main__` says by `SURFACE` where Wand is.
"""

import atexit
import json
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st

from surface.messages import ABOUT, LEGACY, LIVE, TYPES, legacy, message, modern, visit

WAND = json.loads(os.environ["SURFACE"])  # url, headers, tally
STREAM_SECONDS = 0.1  # then its session is ended, and with it the stream

reached: Counter[str] = Counter()


@schemathesis.hook
def before_generate_case(context: Any, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Most of what is asked of /mcp means something; the rest is what the description permits, or not."""
    operation = context.operation
    if operation.path != "/mcp":
        return strategy
    if operation.method.upper() == "POST":
        meant = (modern() | legacy()).map(lambda said: _case(operation, *said))
    else:
        meant = visit().map(lambda headers: _case(operation, headers))
    return st.integers(0, 3).flatmap(lambda number: meant if number else strategy)


def _case(operation: Any, headers: dict[str, str], body: Any = None) -> Any:
    if body is None:
        return operation.Case(headers=dict(headers))
    return operation.Case(headers=dict(headers), body=body, media_type="application/json")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Open the session that the request needs; that of a stream, and with it the stream, ends soon."""
    if (case.headers or {}).get("Mcp-Session-Id") != LIVE:
        return
    session = opened()
    case.headers["Mcp-Session-Id"] = session
    if case.method.upper() != "DELETE":
        seconds = STREAM_SECONDS if case.method.upper() == "GET" else 10 * STREAM_SECONDS
        ending = threading.Timer(seconds, end, [session])
        ending.daemon = True
        ending.start()


def opened() -> str:
    """A new session."""
    about = {"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": ABOUT}
    body = message(0, "initialize", about)
    answer = requests.post(WAND["url"], json=body, headers={**WAND["headers"], **TYPES}, timeout=10)
    answer.raise_for_status()
    return str(answer.headers["Mcp-Session-Id"])


def end(session: str) -> None:
    headers = {**WAND["headers"], "Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY[0]}
    requests.delete(WAND["url"], headers=headers, timeout=10)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count what was answered."""
    kind = response.headers.get("content-type", ["-"])[0].partition(";")[0]
    reached[f"{case.method.upper()} {case.path} {response.status_code} {kind}"] += 1
    if isinstance(case.body, dict) and kind == "application/json" and "result" in response.json():
        reached[f"result of {case.body.get('method')}"] += 1


@atexit.register
def tell() -> None:
    Path(WAND["tally"]).write_text(json.dumps(reached))


@schemathesis.deserializer("text/event-stream")
def as_text(context: Any, response: Any) -> str:
    return str(response.content.decode())  # always UTF-8, whatever is guessed where no charset is said


@schemathesis.check
def events_are_messages(context: Any, response: Any, case: Any) -> None:
    """What stands in a stream is JSON-RPC, also for a client whose lines end wherever Unicode ends one."""
    if "text/event-stream" not in response.headers.get("content-type", [""])[0]:
        return
    for line in as_text(context, response).splitlines():
        said = line.removeprefix("data:").strip()
        if line.startswith("data:") and said:
            assert _is_message(said), line


def _is_message(said: str) -> bool:
    try:
        return bool(json.loads(said)["jsonrpc"] == "2.0")
    except ValueError:
        return False
