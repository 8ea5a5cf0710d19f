"""An agent's day with this very repository: run its tests, search it, change it; then look at the ledger."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from support.agent import over_http
from support.running import COMMAND, embedded
from support.tree import ROOT

ERRORS = "proto/wand_proto/errors.py"
SEARCH = {"pattern": "^class WandError", "name_glob": "*.py"}
EDIT = {"old_text": "class WandError(Exception)", "new_text": "class WandError(ValueError)"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    argv: list[str | Path] = [
        "git",
        "-c",
        "safe.directory=*",
        "clone",
        "-q",
        "--no-local",
        ROOT,
        tmp_path / "wand",
    ]
    subprocess.run(argv, check=True)
    return tmp_path / "wand"


async def test_an_agent_tests_searches_and_edits_a_clone_of_this_repository(clone: Path) -> None:
    with embedded(clone, clone.with_name("state")) as wand:
        async with over_http(wand, "auto") as client:
            await run_tests(client)
            found = await object_of(client, "search_files", SEARCH)
            changed = await object_of(client, "write_file", {"path": ERRORS, "edits": [EDIT]})
        ledger = wand.state / "ledger" / "ledger.jsonl"
    assert [match["path"] for match in found["matches"]] == [ERRORS]
    assert "+class WandError(ValueError)" in changed["diff"]
    assert "class WandError(ValueError)" in (clone / ERRORS).read_text()
    assert "whole" in audit("verify", ledger)
    assert {"start", "run", "worker", "file", "end", "stop"} <= set(audit("show", ledger).split())


def audit(act: str, ledger: Path) -> str:
    """What the host agent's own command says of a ledger."""
    argv: list[str | Path] = [COMMAND.with_name("wand-hostagent"), "audit", act, ledger]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


async def run_tests(client: Client) -> None:
    """Run the tests of wand_proto, and see them pass one after the other while they run."""
    told: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    argv = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests/proto"]
    here = {"PYTHONPATH": "proto:hostagent:server"}  # of the clone: commands see no other one
    asked = {"argv": argv, "environment": here}
    ran = await client.call_tool("execute_command", asked, progress_callback=on_progress)
    assert ran.structured_content is not None, ran.content
    assert ran.structured_content["exit_code"] == 0, ran.structured_content["stdout"]
    assert any("PASSED" in message for message in told)


async def object_of(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content
