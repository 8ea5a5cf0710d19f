"""What an embedded Wand tells the person who started it."""

import http.client
import json
import shlex
import shutil
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wand_server.embedded.parts import HOST
from wand_server.embedded.place import Place, Unfit

_VERSION = "2026-07-28"
_ASK_SECONDS = 20
_COLUMNS = 100
_Guarantees = list[Mapping[str, Any]]


def ask_guarantees(port: int, key: str) -> _Guarantees:
    """What bounds a command here, as the running Wand says: it has answered before anybody is told of it.

    Raises:
        Unfit: it did not answer as it should.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=_ASK_SECONDS)
    try:
        connection.request("POST", "/mcp", _body("get_system_status", {}), _headers("get_system_status", key))
        answer = json.loads(connection.getresponse().read())
        if answer["result"]["isError"]:
            raise Unfit(f"Wand has started and does not work: {answer['result']['content'][0]['text']}")
        return list(answer["result"]["structuredContent"]["guarantees"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise Unfit(f"Wand has started and does not answer as it should: {error!r}") from error
    finally:
        connection.close()


def welcome(place: Place, port: int, guarantees: _Guarantees, public: str = "") -> str:
    """Where the workspace is, what bounds commands in it, and how to connect: ready to paste."""
    url, key = f"http://{HOST}:{port}/mcp", place.key()
    bounds = [_bound(each) for each in guarantees]
    return "\n".join(
        (
            f"Wand serves {place.workspace} at {url}; Ctrl-C ends it.",
            f"Ledger, logs and keys: {place.state}",
            "",
            "What bounds a command here; it runs as you, so this is for development:",
            *bounds,
            "",
            "Claude Code:",
            f'  claude mcp add --transport http wand {url} --header "Authorization: Bearer {key}"',
            "",
            "Claude Desktop (claude_desktop_config.json):",
            _desktop(place),
            "",
            *_from_elsewhere(place, port, public),
            "Anything else:",
            f"  {_curl(url, key)}",
            "",
        )
    )


def _from_elsewhere(place: Place, port: int, public: str) -> tuple[str, ...]:
    if not public:
        return ()
    add = shlex.join((_program(), "people", "--settings", str(place.state / "server.toml"), "add"))
    return (
        f"From elsewhere, with a sign-in in the browser, once {public} leads to {HOST}:{port}:",
        f'  here:   {add} "$(id -un)"',
        f"  there:  claude mcp add --transport http wand {public}/mcp && claude mcp login wand",
        "",
    )


def _bound(each: Mapping[str, Any]) -> str:
    first = "  yes  " if each["enforced"] else "  NO   "
    text = f"{each['name']}: {each['detail']}"
    return textwrap.fill(text, _COLUMNS, initial_indent=first, subsequent_indent=" " * len(first))


def _program() -> str:
    command = Path(sys.executable).with_name("wand-server")
    return str(command) if command.exists() else shutil.which("wand-server") or "wand-server"


def _desktop(place: Place) -> str:
    entry = {"command": _program(), "args": ["stdio", "--socket", str(place.stdio_socket)]}
    text = json.dumps({"mcpServers": {"wand": entry}}, indent=2, ensure_ascii=False)
    return "\n".join(f"  {line}" for line in text.splitlines())


def _curl(url: str, key: str) -> str:
    body = _body("execute_command", {"command": "uname -a"})
    headers = _headers("execute_command", key).items()
    return " ".join(
        (
            "curl -sS --noproxy '*'",
            url,
            *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers),
            f"-d {shlex.quote(body)}",
        )
    )


def _headers(tool: str, key: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": _VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }


def _body(tool: str, arguments: Mapping[str, Any]) -> str:
    prefix = "io.modelcontextprotocol/"
    about = {f"{prefix}protocolVersion": _VERSION, f"{prefix}clientCapabilities": {}}
    params = {"name": tool, "arguments": arguments, "_meta": about}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return json.dumps(call, separators=(",", ":"))
