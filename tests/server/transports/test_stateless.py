"""2026-07-28 over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.edge import Edge, edge


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


async def test_a_call_comes_back_as_one_json_body(server: Edge) -> None:
    status, body = await server.ask(**server.call("echo", {"text": "héllo"}))

    assert status == 200
    result = body["result"]
    assert result["content"] == [{"type": "text", "text": "héllo"}]
    assert result["structuredContent"] == {"text": "héllo", "principal": "probe"}
    assert (result["isError"], result["resultType"]) == (False, "complete")
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "wand"


async def test_discover_tells_the_version_and_what_can_be_asked(server: Edge) -> None:
    status, body = await server.ask(**server.modern("server/discover"))

    assert status == 200
    assert body["result"]["supportedVersions"] == ["2026-07-28"]
    assert "tools" in body["result"]["capabilities"]
    assert body["result"]["instructions"] == "Use it."
    assert body["result"]["ttlMs"] > 0


async def test_tools_are_listed_in_order_with_their_annotations(server: Edge) -> None:
    _, body = await server.ask(**server.modern("tools/list"))

    tools = body["result"]["tools"]
    assert [tool["name"] for tool in tools] == [
        "echo",
        "count",
        "slow",
        "denied",
        "asks",
        "broken",
        "big",
        "flood",
        "odd",
    ]
    assert tools[2]["annotations"] == {"openWorldHint": False}  # the rest is as the protocol supposes
    assert tools[0]["inputSchema"]["type"] == tools[0]["outputSchema"]["type"] == "object"
    assert body["result"]["cacheScope"] == "private"


async def test_progress_arrives_on_a_stream_before_the_answer(server: Edge) -> None:
    request = server.modern("tools/call", {"name": "count", "arguments": {}, "_meta": {"progressToken": "p"}})

    async with server.client.post(server.url, **request) as response:
        assert response.content_type == "text/event-stream"
        text = await response.text()

    assert [line.count('"progress":') for line in text.split("\r\n") if line.startswith("data")] == [
        1,
        1,
        1,
        0,
    ]
    assert '"isError":false' in text


async def test_a_client_that_hangs_up_cancels_its_call(server: Edge) -> None:
    call = asyncio.create_task(server.ask(**server.call("slow")))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    call.cancel()

    await asyncio.wait_for(server.tools.slow_cancelled.wait(), 20)


async def test_a_tool_learns_who_calls_with_what(server: Edge) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request = server.modern("tools/call", {"name": "echo", "arguments": {}, "_meta": {"traceparent": trace}})

    await server.ask(**request)

    call = server.tools.calls[0][2]
    assert (call.principal.name, call.client, call.traceparent) == ("probe", "probe/7", trace)
    assert len(call.request_id) == 16
    assert call.progress is None


@pytest.mark.parametrize(("told", "known"), [("large-4\n", "large-4"), (7, ""), ("x" * 500, "x" * 200)])
async def test_a_call_knows_the_agent_and_its_model_where_they_are_told(
    server: Edge, told: object, known: str
) -> None:
    about = {"wand/agent": "reviewer", "wand/model": told}
    request = server.modern("tools/call", {"name": "echo", "arguments": {}, "_meta": about})
    async with server.client.post(server.url, **request) as response:
        assert response.status == 200
    call = server.tools.calls[0][2]
    assert (call.agent, call.model) == ("reviewer", known)


async def test_a_failure_of_a_tool_is_a_result(server: Edge) -> None:
    status, body = await server.ask(**server.call("denied"))

    assert status == 200
    assert body["result"]["isError"] is True
    assert body["result"]["content"][0]["text"] == "Denied: argv: rm is denied\nHint: git is permitted"
    assert "structuredContent" not in body["result"]


async def test_a_broken_tool_tells_nothing_but_an_id(server: Edge) -> None:
    status, body = await server.ask(**server.call("broken"))

    request_id = server.tools.calls[0][2].request_id
    assert status == 200
    assert body["error"]["code"] == -32603
    assert body["error"]["data"] == {"request": request_id}
    assert "1234" not in str(body)


async def test_what_json_cannot_say_is_said_as_near_as_it_can(server: Edge) -> None:
    _, number = await server.ask(**server.call("odd", {"nan": True}))
    _, text = await server.ask(**server.call("odd"))

    assert number["result"]["structuredContent"] == {"value": None}
    assert text["result"]["structuredContent"] == {"value": "?"}


async def test_a_header_that_is_no_text_is_refused(server: Edge) -> None:
    status, body = await server.ask(**server.call("echo", None, **{"MCP-Protocol-Version": "\udcff"}))

    assert (status, body["error"]["code"]) == (400, -32020)


async def test_an_unknown_tool_is_answered_with_the_nearest(server: Edge) -> None:
    status, body = await server.ask(**server.call("ecko"))

    assert (status, body["error"]["code"], body["id"]) == (400, -32602, 1)
    assert "did you mean echo?" in body["error"]["message"]


WRONG: dict[str, tuple[dict[str, str | None], int, int]] = {
    "no version header": ({"MCP-Protocol-Version": None}, 400, -32020),
    "another version header": ({"MCP-Protocol-Version": "2027-01-01"}, 400, -32020),
    "no method header": ({"Mcp-Method": None}, 400, -32020),
    "another method header": ({"Mcp-Method": "tools/list"}, 400, -32020),
    "no name header": ({"Mcp-Name": None}, 400, -32020),
    "another name header": ({"Mcp-Name": "rm"}, 400, -32020),
}


@pytest.mark.parametrize("case", WRONG)
async def test_headers_that_disagree_with_the_body_are_refused(server: Edge, case: str) -> None:
    headers, status, code = WRONG[case]

    got, body = await server.ask(**server.call("echo", None, **headers))

    assert (got, body["error"]["code"], body["id"]) == (status, code, 1)
    assert server.tools.calls == []


async def test_a_header_that_stands_twice_is_refused(server: Edge) -> None:
    request = server.call("echo")
    request["headers"] = [*request["headers"].items(), ("Mcp-Name", "echo")]

    status, body = await server.ask(**request)

    assert (status, body["error"]["code"]) == (400, -32020)
    assert "more than once" in body["error"]["message"]


async def test_an_unknown_version_is_answered_with_those_that_are_known(server: Edge) -> None:
    request = server.call("echo", None, **{"MCP-Protocol-Version": "1900-01-01"})
    request["json"]["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "1900-01-01"

    status, body = await server.ask(**request)

    assert (status, body["error"]["code"]) == (400, -32022)
    assert body["error"]["data"] == {"supported": ["2026-07-28"], "requested": "1900-01-01"}


@pytest.mark.parametrize("method", ["no/such", "ping", "initialize", "logging/setLevel", "resources/list"])
async def test_a_method_that_is_not_there_is_not_found(server: Edge, method: str) -> None:
    status, body = await server.ask(**server.modern(method))

    assert (status, body["error"]["code"]) == (404, -32601)


async def test_arguments_of_the_wrong_type_are_named(server: Edge) -> None:
    request = server.call("echo")
    request["json"]["params"]["arguments"] = ["text"]

    status, body = await server.ask(**request)

    assert (status, body["error"]["code"]) == (400, -32602)
    assert "params.arguments" in body["error"]["message"]


async def test_an_envelope_without_capabilities_is_refused(server: Edge) -> None:
    request = server.call("echo")
    del request["json"]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]

    status, body = await server.ask(**request)

    assert (status, body["error"]["code"]) == (400, -32602)
    assert "clientCapabilities" in body["error"]["message"]


async def test_a_notification_is_taken_and_an_unknown_version_is_not(server: Edge) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    statuses = []
    for version in ("2026-07-28", "2030-01-01"):
        headers = server.headers(**{"MCP-Protocol-Version": version})
        async with server.client.post(server.url, json=note, headers=headers) as response:
            statuses.append(response.status)

    assert statuses == [202, 400]


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
async def test_only_post_belongs_to_this_era(server: Edge, verb: str) -> None:
    headers = server.headers(**{"MCP-Protocol-Version": "2026-07-28"})

    async with server.client.request(verb, server.url, headers=headers) as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_a_long_silence_becomes_a_stream_that_says_it_lives(
    server: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.replies.PING_SECONDS", 0.01)

    async with server.client.post(server.url, **server.call("slow")) as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b": ping\r\n"
        server.tools.slow_may_end.set()
        assert '"text":"done"' in await response.text()


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"jsonrpc": "2.0", "method": "notifications/any"}, b"202"),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}}, b"400"),
    ],
)
async def test_nothing_follows_an_answer_however_long_the_connection_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: dict[str, Any], status: bytes
) -> None:
    monkeypatch.setattr("wand_server.transports.replies.PING_SECONDS", 0.01)
    monkeypatch.setattr("wand_server.transports.http._TICK_SECONDS", 0.01)
    async with edge(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port)
        body = json.dumps(message).encode()
        headers = server.headers(MCP_Protocol_Version="2026-07-28", Content_Length=str(len(body)))
        head = [
            "POST /mcp HTTP/1.1",
            "Host: localhost",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

        assert (await reader.readline()).split()[1] == status
        length = [line for line in (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n") if b"Length" in line]
        await reader.readexactly(int(length[0].split()[1]) if length else 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)
        writer.close()


async def test_a_client_that_reads_nothing_is_cut_off_in_silence(
    server: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wand_server.transports.replies.WRITE_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port, limit=1024)
    meta = {"progressToken": 1}
    request = server.modern("tools/call", {"name": "flood", "arguments": {}, "_meta": meta})
    body = json.dumps(request["json"]).encode()
    head = ["POST /mcp HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in request["headers"].items()]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    await asyncio.wait_for(server.tools.slow_cancelled.wait(), 10)

    assert reader.at_eof() is False
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    writer.close()


async def test_a_server_that_stops_cancels_its_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_server.transports.http.STOP_SECONDS", 0.05)
    async with edge(tmp_path) as server:
        call = asyncio.create_task(server.ask(**server.call("slow")))
        await asyncio.wait_for(server.tools.slow_began.wait(), 20)

        await asyncio.wait_for(server.transport.__aexit__(None, None, None), 20)

        assert server.tools.slow_cancelled.is_set()
        await asyncio.wait([call])
        assert call.exception() is not None
        await server.transport.__aenter__()
