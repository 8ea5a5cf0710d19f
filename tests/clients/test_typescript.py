"""The official TypeScript client, in both eras, over HTTP and stdio."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.clients import Clients
from support.running import Running, stdio_command

SCRIPT = Path(__file__).with_name("client.mjs")
ERAS = [("legacy", "2025-11-25"), ("auto", "2026-07-28"), ("modern", "2026-07-28")]


def check(printed: str, version: str) -> None:
    seen: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert seen["version"] == version
    assert {"execute_command", "read_file", "write_file", "search_files"} <= set(seen["tools"])
    assert seen["ran"]["exit_code"] == 0
    assert seen["ran"]["stdout"] == "one\ntwo\n"
    assert any("one" in message for message in seen["progress"])
    assert "quick brown fox" in seen["read"]
    assert seen["refused"]["isError"] is True
    assert "/etc/shadow" in seen["refused"]["text"]


@pytest.mark.parametrize(("era", "version"), ERAS)
def test_the_typescript_client_works_over_http(
    era: str, version: str, wand: Running, clients: Clients
) -> None:
    check(clients.run(clients.node, SCRIPT, era, "http", wand.url, wand.key), version)


@pytest.mark.parametrize(("era", "version"), ERAS)
def test_the_typescript_client_works_over_stdio(
    era: str, version: str, workspace: Path, clients: Clients
) -> None:
    command = stdio_command(workspace)
    check(clients.run(clients.node, SCRIPT, era, "stdio", *command), version)
