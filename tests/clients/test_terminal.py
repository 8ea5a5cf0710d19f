"""A real client that uses a terminal: what programs make of one, what is typed, Ctrl-C, a new size."""

from typing import Any

import pytest
from mcp import Client

from support.agent import over_http
from support.running import Running

FOLLOWS_ITS_SIZE = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
print("up")
signal.sigwait({signal.SIGWINCH})
print(os.get_terminal_size())
"""


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("tty", "/dev/pts/0"),
        ("stty size", "24 80"),
        ("""python3 -c 'import os; print(os.isatty(0))'""", "True"),
        ("git log --oneline -1 2>&1 | cat; git --version", "git version"),
        ("echo err >&2; echo $TERM", "err\nxterm-256color"),
        ("printf 'abc\\rx\\n'", "x"),
        ("sudo -k true; read -p 'Password: ' word || echo nobody", "nobody"),
    ],
)
async def test_programs_find_a_terminal_and_nobody_at_it(
    wand: Running, mode: str, command: str, shown: str
) -> None:
    async with over_http(wand, mode) as client:
        answer = await ask(client, "execute_command", command=command, terminal=True, timeout_seconds=20)

    assert answer["reason"] == "exited"
    assert shown in answer["stdout"]
    assert answer["stderr"] == ""


async def test_a_shell_is_typed_to_interrupted_and_left(wand: Running) -> None:
    async with over_http(wand, "auto") as client:
        started = await ask(
            client, "execute_command", argv=["bash", "--norc"], terminal=True, background=True
        )
        job = started["job"]
        assert started["reason"] == "running"
        first = await ask(client, "send_input", job=job, text="echo $((6 * 7)); sleep 600\n")
        stopped = await ask(client, "send_input", job=job, key="ctrl-c")
        again = await ask(client, "send_input", job=job, text="echo still-$?\n")
        left = await ask(client, "send_input", job=job, text="exit 7", key="enter", wait_seconds=20)
        whole = await ask(client, "read_file", path=f"wand://jobs/{job}/stdout")

    assert "42" in first["stdout"]
    assert first["running"]
    assert "^C" in stopped["stdout"]
    assert "still-130" in again["stdout"]
    assert (left["running"], left["exit_code"]) == (False, 7)
    assert "42" in whole["content"]


async def test_a_terminal_changes_its_size_under_a_running_program(wand: Running) -> None:
    async with over_http(wand, "auto") as client:
        argv = ["python3", "-c", FOLLOWS_ITS_SIZE]
        started = await ask(client, "execute_command", argv=argv, terminal=True, background=True)
        await ask(client, "send_input", job=started["job"], offset=0, wait_seconds=20)
        resized = await ask(client, "send_input", job=started["job"], columns=132, rows=43, wait_seconds=20)

    assert "columns=132, lines=43" in resized["stdout"]


async def test_a_job_without_a_terminal_is_fed_by_its_pipe_until_the_end(wand: Running) -> None:
    async with over_http(wand, "auto") as client:
        asked = {"command": "sort; echo done >&2", "stdin": "b\n", "background": True}
        started = await ask(client, "execute_command", **asked)
        fed = await ask(client, "send_input", job=started["job"], text="a\n", wait_seconds=0)
        ended = await ask(client, "send_input", job=started["job"], key="ctrl-d", wait_seconds=20)

    assert fed["running"]
    assert (ended["stdout"], ended["stderr"], ended["exit_code"]) == ("a\nb\n", "done\n", 0)


async def test_a_job_that_was_started_for_no_input_says_so(wand: Running) -> None:
    async with over_http(wand, "auto") as client:
        started = await ask(client, "execute_command", command="sleep 600", background=True)
        refused = await client.call_tool("send_input", {"job": started["job"], "text": "x"})
        stopped = await ask(client, "send_input", job=started["job"], key="ctrl-c", wait_seconds=20)

    assert refused.is_error
    assert (stopped["running"], stopped["signal"]) == (False, "SIGINT")


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content
