"""Messages of MCP that mean something, of both eras, with the headers that go with them."""

from typing import Any

from hypothesis import strategies as st

MODERN, LEGACY = "2026-07-28", ("2025-11-25", "2025-06-18", "2025-03-26")
LIVE = "live"  # stands for a session that is opened just before the request
PREFIX = "io.modelcontextprotocol"
ABOUT = {"name": "schemathesis", "version": "1"}
TYPES = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
OF_SESSION = {"MCP-Protocol-Version": LEGACY[0], "Mcp-Session-Id": LIVE}

Said = tuple[dict[str, str], dict[str, Any]]
"""Headers and body."""


def act(method: str, **params: Any) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A method and its parameters, each out of its strategy."""
    return st.tuples(st.just(method), st.fixed_dictionaries(params))


def call(tool: str, **arguments: Any) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return act("tools/call", name=st.just(tool), arguments=st.fixed_dictionaries({}, optional=arguments))


PATHS = st.sampled_from(["", ".", "poem.txt", "none", "../..", "/etc/shadow"]) | st.text(max_size=40)
COMMANDS = st.sampled_from([["true"], ["false"], ["cat", "poem.txt"], ["sleep", "0.1"], ["no-such-command"]])
URIS = st.sampled_from(
    ["wand://host/status", "wand://host/info", "wand://jobs", "wand://files/poem.txt", "wand://none", "x:"]
)
PROMPTS = st.sampled_from(["check-host", "fix-tests", "review-changes", "none"])
ACTS = st.one_of(
    act("tools/list"), act("prompts/list"), act("resources/list"), act("resources/templates/list"),
    act("tools/list", cursor=st.just("none")), act("resources/read", uri=URIS),
    act("prompts/get", name=PROMPTS, arguments=st.dictionaries(st.just("folder"), st.text(max_size=20))),
    call("read_file", path=PATHS, first_line=st.integers()),
    call("list_directory", path=PATHS, depth=st.integers(-1, 9)),
    call("search_files", pattern=st.text(max_size=20), path=PATHS),
    call("write_file", path=st.sampled_from(["a.txt", "b/c.txt", "../d"]), content=st.text()),
    call("check_command_exists", names=st.lists(st.text(max_size=20), max_size=5)),
    call("execute_command", argv=COMMANDS, timeout_seconds=st.integers(1, 20)),
    call("execute_command", argv=COMMANDS, columns=st.integers(), terminal=st.booleans()),
    act("tools/call", name=st.just("execute_command"), arguments=st.just({"argv": ["sleep", "0.1"]})),
    call("get_system_info"), call("get_system_status"), call("none"),
)  # fmt: skip
TOLD: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"method": "notifications/initialized"},
        {"method": "notifications/cancelled", "params": {"requestId": 1}},
        {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 0.5}},
        {"id": 1, "result": {}},
        {"id": "1", "error": {"code": -32603, "message": "no"}},
    ]
)
IDS = st.integers(0, 2**31) | st.text(min_size=1, max_size=20)


def acts(more: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """What both eras know, and often enough what only one does."""
    return st.integers(0, 7).flatmap(lambda number: ACTS if number else act(more))


@st.composite
def modern(draw: st.DrawFn) -> Said:
    """The headers and the body of a request that stands for itself."""
    method, params = draw(acts("server/discover"))
    meta = {f"{PREFIX}/protocolVersion": MODERN, f"{PREFIX}/clientInfo": ABOUT}
    more = draw(st.sampled_from([{}, {"progressToken": "here"}]))
    params = {**params, "_meta": {**meta, **more, f"{PREFIX}/clientCapabilities": {}}}
    headers = {**TYPES, "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    name = params.get("name", params.get("uri"))
    return headers | ({"Mcp-Name": name} if name else {}), message(draw(IDS), method, params)


@st.composite
def legacy(draw: st.DrawFn) -> Said:
    """The headers and the body of what is said in a session."""
    headers = {**TYPES, **OF_SESSION}
    if draw(st.integers(0, 3)) == 0:
        return headers, {"jsonrpc": "2.0", **draw(TOLD)}
    return headers, message(draw(IDS), *draw(acts("ping")))


def message(message_id: int | str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}


@st.composite
def visit(draw: st.DrawFn) -> dict[str, str]:
    """The headers of a GET or a DELETE of a session."""
    version = draw(st.sampled_from(LEGACY))
    agent = f"{ABOUT['name']}/{draw(st.integers(0, 2**31))}"  # one visit is not all visits
    return {**OF_SESSION, "Accept": "text/event-stream", "MCP-Protocol-Version": version, "User-Agent": agent}
