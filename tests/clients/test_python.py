"""The official Python client, in both eras, over HTTP and stdio."""

import asyncio
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.subscriptions import ResourceUpdated

from support.agent import over_http
from support.running import Running, stdio_command

ERAS = [("legacy", "2025-11-25"), ("auto", "2026-07-28"), ("2026-07-28", "2026-07-28")]


async def check(client: Client, version: str) -> None:
    assert client.protocol_version == version
    listed = {tool.name for tool in (await client.list_tools()).tools}
    assert {"execute_command", "read_file", "write_file", "search_files"} <= listed
    told: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    asked = {"command": "echo one; sleep 1.5; echo two"}
    ran = await client.call_tool("execute_command", asked, progress_callback=on_progress)
    assert ran.structured_content is not None
    assert ran.structured_content["stdout"] == "one\ntwo\n"
    assert any("one" in message for message in told)
    printed = await client.read_resource(f"wand://jobs/{ran.structured_content['job']}/stdout")
    assert [getattr(one, "text", "") for one in printed.contents] == ["one\ntwo\n"]
    poem = await client.read_resource("wand://files/poem.txt")
    assert "quick brown fox" in getattr(poem.contents[0], "text", "")
    assert len((await client.get_prompt("check-host", {"focus": "disk"})).messages) == 1
    refused = await client.call_tool("read_file", {"path": "/etc/shadow"})
    assert refused.is_error


@pytest.mark.parametrize(("mode", "version"), ERAS)
async def test_the_python_client_works_over_http(mode: str, version: str, wand: Running) -> None:
    async with over_http(wand, mode) as client:
        await check(client, version)


@pytest.mark.parametrize(("mode", "version"), ERAS)
async def test_the_python_client_works_over_stdio(mode: str, version: str, workspace: Path) -> None:
    command, *words = stdio_command(workspace)
    pipe = StdioServerParameters(command=command, args=words)
    async with Client(pipe, mode=mode) as client:
        await check(client, version)


async def hears_of_a_job(client: Client, folder: Path) -> None:
    """Told of by the client's own reading of the stream: a job prints, and so its output is another."""
    command = f"until [ -e {folder}/go-{id(client)} ]; do sleep 0.01; done; echo news"
    started = await client.call_tool("execute_command", {"command": command, "background": True})
    assert started.structured_content is not None
    uri = f"wand://jobs/{started.structured_content['job']}/stdout"
    async with asyncio.timeout(60), client.listen(resource_subscriptions=[uri]) as subscription:
        assert subscription.honored.resource_subscriptions == [uri]
        (folder / f"go-{id(client)}").touch()
        async for event in subscription:
            assert event == ResourceUpdated(uri=uri)
            break


async def test_the_python_client_hears_of_a_job_over_http(wand: Running) -> None:
    async with over_http(wand, "2026-07-28") as client:
        await hears_of_a_job(client, wand.workspace)


async def test_the_python_client_hears_of_a_job_over_stdio(workspace: Path) -> None:
    command, *words = stdio_command(workspace)
    async with Client(StdioServerParameters(command=command, args=words), mode="2026-07-28") as client:
        await hears_of_a_job(client, workspace)
