"""An embedded Wand as a person meets it: what it prints works as pasted, and nothing of it stays behind."""

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from support.places import short_folder
from support.processes import descendants
from support.running import COMMAND, Running, embedded, still_alive
from support.visits import mark as new_mark
from support.visits import marked, text_of, use
from support.waiting import is_alive, until


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        (made / "work").mkdir()
        yield made


def words_of(pid: int) -> list[str]:
    """The words that a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


def fails(*words: str | Path) -> str:
    """What a command prints that cannot work."""
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 1, done
    assert done.stdout == ""
    return done.stderr


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="curl is not installed")
def test_the_curl_that_is_printed_works_as_pasted(wand: Running) -> None:
    (line,) = [line for line in wand.printed.splitlines() if line.strip().startswith("curl ")]

    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True, timeout=90, check=True)

    assert "Linux" in json.loads(done.stdout)["result"]["structuredContent"]["stdout"]


def test_the_line_for_claude_code_names_the_address_and_the_key(wand: Running) -> None:
    (line,) = [line for line in wand.printed.splitlines() if line.strip().startswith("claude ")]

    words = shlex.split(line)

    assert words[:6] == ["claude", "mcp", "add", "--transport", "http", "wand"]
    assert words[6:] == [wand.url, "--header", f"Authorization: Bearer {wand.key}"]


async def test_the_entry_for_claude_desktop_starts_a_pipe_that_works(wand: Running) -> None:
    text = wand.printed[wand.printed.index("  {") : wand.printed.index("\n  }\n") + 4]
    entry = json.loads(text)["mcpServers"]["wand"]

    async with asyncio.timeout(60):
        assert await hello_by(StdioServerParameters(**entry)) == "hello\n"


async def hello_by(parameters: StdioServerParameters) -> Any:
    async with Client(stdio_client(parameters)) as client:
        result = await client.call_tool("execute_command", {"command": "echo hello"})
        assert result.structured_content is not None
        return result.structured_content["stdout"]


def test_it_says_what_does_not_bound_a_command(wand: Running) -> None:
    assert "  NO   network: " in wand.printed


def test_the_state_is_for_its_owner_alone(wand: Running) -> None:
    assert wand.state.stat().st_mode & 0o077 == 0
    for name in ("api-key", "keys.toml", "pki/ca.key"):
        assert (wand.state / name).stat().st_mode & 0o077 == 0


def test_a_second_one_for_the_same_state_is_refused(wand: Running) -> None:
    said = fails("embedded", wand.workspace, "--state", wand.state)

    assert f"is in use by another Wand (process {wand.pid}, for {wand.workspace})" in said


async def test_a_second_pipe_for_the_same_folder_joins_the_first(wand: Running) -> None:
    words = ["stdio", "--embedded", str(wand.workspace), "--state", str(wand.state)]

    async with asyncio.timeout(60):
        assert await hello_by(StdioServerParameters(command=str(COMMAND), args=words)) == "hello\n"


def test_the_key_stays_the_same_and_the_ledger_goes_on(folder: Path) -> None:
    keys, lines = set(), []
    for _ in range(2):
        with embedded(folder / "work", folder / "state") as running:
            keys.add(running.key)
        lines.append(len((folder / "state/ledger/ledger.jsonl").read_text().splitlines()))

    assert len(keys) == 1
    assert lines[0] < lines[1]


def test_a_port_that_is_taken_is_said_to_be(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        said = fails("embedded", folder / "work", "--state", folder / "state", "--port", str(port))

    assert f"port {port} is taken" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it(folder: Path, number: int) -> None:
    with embedded(folder / "work", folder / "state") as running:
        family = descendants(running.pid)
        os.kill(running.pid, number)
        assert not still_alive([running.pid, *family])

    assert not (folder / "state" / "run").exists()


async def test_a_command_that_runs_ends_with_it(folder: Path) -> None:
    mark = new_mark()
    with embedded(folder / "work", folder / "state") as running:
        calling = asyncio.create_task(
            use(running, "execute_command", command=f"setsid sleep {mark} & sleep {mark}")
        )
        await until(lambda: len(marked(mark)) == 2)
        os.kill(running.pid, signal.SIGTERM)
        await until(lambda: not is_alive(running.pid), 25)
        await asyncio.wait([calling])

    assert "the server stopped while this ran, and ended it" in text_of(calling.result())
    assert not marked(mark)


def test_a_state_with_a_long_path_has_its_sockets_elsewhere(folder: Path) -> None:
    state = folder / ("x" * 120)

    with embedded(folder / "work", state) as running:
        entry = running.printed[running.printed.index("  {") : running.printed.index("\n  }\n") + 4]
        path = json.loads(entry)["mcpServers"]["wand"]["args"][-1]
        assert Path(path).stat().st_mode & 0o077 == 0
        assert Path(path).parent.stat().st_mode & 0o077 == 0

    assert not Path(path).parent.exists()


async def test_a_pipe_with_its_own_wand_leaves_nothing_behind(folder: Path) -> None:
    words = ["stdio", "--embedded", str(folder / "work"), "--state", str(folder / "state")]
    errors = folder / "errors"

    with errors.open("w") as log:
        async with asyncio.timeout(60):
            parameters = StdioServerParameters(command=str(COMMAND), args=words)
            async with Client(stdio_client(parameters, errlog=log)) as client:
                result = await client.call_tool("get_system_info", {})
                (supervisor,) = [pid for pid in descendants(os.getpid()) if words_of(pid)[-4:] == words[-4:]]
                family = [supervisor, *descendants(supervisor)]

    assert result.structured_content is not None
    assert result.structured_content["workspace"] == str(folder / "work")
    assert len(family) >= 5
    assert not still_alive(family)
    assert errors.read_text() == ""


def test_a_pipe_whose_wand_cannot_start_says_why(folder: Path) -> None:
    (folder / "state").write_text("not a folder")

    said = fails("stdio", "--embedded", folder / "work", "--state", folder / "state")

    assert f"{folder / 'state'} cannot be made" in said


def test_the_client_of_a_pipe_whose_wand_cannot_start_is_told_why_too(folder: Path) -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": {}}

    done = subprocess.run(
        [COMMAND, "stdio", "--embedded", folder / "nowhere", "--state", folder / "state"],
        check=False, capture_output=True, text=True, timeout=60, input=f"{json.dumps(asked)}\n",
    )  # fmt: skip

    told = json.loads(done.stdout)
    assert (done.returncode, told["id"]) == (1, 7)
    assert told["error"]["message"] == f"Wand did not start: {folder / 'nowhere'} is no folder"


def test_a_part_that_does_not_start_is_shown_by_the_end_of_its_log(folder: Path) -> None:
    (folder / "state/ledger").mkdir(parents=True, mode=0o700)
    (folder / "state/ledger/ledger.jsonl").write_text("{}\n{}\n")

    said = fails("embedded", folder / "work", "--state", folder / "state")

    assert "the launcher did not start" in said
    assert "launcher.log ends with:" in said
    assert "ledger" in said


def test_a_folder_of_our_name_in_the_workspace_is_not_imported(folder: Path) -> None:
    for name in ("wand_server", "wand_hostagent", "wand_proto", "asyncio"):
        (folder / "work" / name).mkdir()
        (folder / "work" / name / "__init__.py").write_text("raise SystemExit('imported from the workspace')")
    before = Path.cwd()
    os.chdir(folder / "work")
    try:
        with embedded(folder / "work", folder / "state") as running:
            assert running.key
    finally:
        os.chdir(before)


def test_its_settings_stand_the_check(wand: Running) -> None:
    words = [str(COMMAND), "check", "--settings", str(wand.state / "server.toml")]

    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=True)

    assert "keys.toml: " in done.stdout
    assert "the host agent answers at unix:" in done.stdout
