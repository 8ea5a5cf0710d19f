"""The command line of the MCP Inspector, in both eras, over HTTP and stdio."""

import json
from pathlib import Path

import pytest

from support.clients import Clients
from support.running import Running, stdio_command

CALL = ("--method", "tools/call", "--tool-name", "execute_command", "--tool-arg", "command=echo hello")


@pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
def test_the_inspector_calls_a_tool_over_http(era: str, wand: Running, clients: Clients) -> None:
    header = f"Authorization: Bearer {wand.key}"
    printed = clients.inspect(wand.url, "--protocol-era", era, "--header", header, *CALL)
    assert "hello" in json.dumps(json.loads(printed))


def test_the_inspector_calls_a_tool_over_stdio(workspace: Path, clients: Clients) -> None:
    printed = clients.inspect(*stdio_command(workspace), *CALL)
    assert "hello" in json.dumps(json.loads(printed))


def test_the_inspector_finds_no_schema_that_some_model_would_refuse(wand: Running, clients: Clients) -> None:
    header = f"Authorization: Bearer {wand.key}"
    printed = clients.inspect(wand.url, "--header", header, "--method", "tools/list", "--strict")
    assert "execute_command" in printed


def test_the_inspector_verifies_every_skill(wand: Running, clients: Clients) -> None:
    header = f"Authorization: Bearer {wand.key}"
    asked = ("--protocol-era", "modern", "--header", header, "--method", "skills/list", "--verify")
    printed = clients.inspect(wand.url, *asked)
    assert "skill://run-commands/SKILL.md" in printed


def test_the_inspector_finds_the_page_of_a_tool(wand: Running, clients: Clients) -> None:
    header = f"Authorization: Bearer {wand.key}"
    asked = ("--header", header, "--method", "tools/call", "--tool-name", "execute_command", "--app-info")
    printed = clients.inspect(wand.url, "--advertise-apps", *asked)
    assert "ui://wand/job" in printed
