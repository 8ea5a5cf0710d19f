"""Claude Code's own program: it takes the line that Wand prints, and connects."""

import asyncio
import json
import re
import shlex
from pathlib import Path

from support.clients import Clients
from support.model import model
from support.running import Running, stdio_command


def test_claude_code_connects_with_the_line_that_wand_prints(
    wand: Running, clients: Clients, claude: Path
) -> None:
    line = re.search(r"claude mcp add .*", wand.printed)
    assert line is not None
    clients.run(claude, *shlex.split(line[0])[1:])
    listed = clients.run(claude, "mcp", "list")
    assert wand.url in listed
    assert "Connected" in listed


def test_claude_code_connects_over_stdio(workspace: Path, clients: Clients, claude: Path) -> None:
    clients.run(claude, "mcp", "add", "wand", "--", *stdio_command(workspace))
    assert "Connected" in clients.run(claude, "mcp", "list")


def test_claude_code_connects_over_websocket(wand: Running, clients: Clients, claude: Path) -> None:
    entry = {"type": "ws", "url": wand.url.replace("http:", "ws:"), "headers": wand.headers}
    clients.run(claude, "mcp", "add-json", "wand", json.dumps(entry))
    assert "Connected" in clients.run(claude, "mcp", "list")


async def test_claude_code_runs_a_command_when_its_model_asks_for_one(
    wand: Running, clients: Clients, claude: Path
) -> None:
    servers = {"wand": {"type": "http", "url": wand.url, "headers": wand.headers}}
    config = clients.home / "servers.json"
    config.write_text(json.dumps({"mcpServers": servers}))
    tool = "mcp__wand__execute_command"
    words = ("--mcp-config", config, "--strict-mcp-config", "--allowedTools", tool)
    async with model(tool, {"command": "rev poem.txt"}) as address:
        more = {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": "none", "ENABLE_TOOL_SEARCH": "false"}
        said = await asyncio.to_thread(clients.run, claude, "-p", "Read it backwards.", *words, more=more)
    assert "xof nworb kciuq eht" in said
