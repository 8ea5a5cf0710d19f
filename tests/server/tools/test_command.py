"""execute_command: what it asks of the host, what it makes of the outcome, what it tells on the way."""

import asyncio
from typing import Any, get_args

import pytest

from support.host import FakeHost, call, outcome, refusing
from wand_proto.errors import Invalid
from wand_server import ports
from wand_server.model import ToolResult
from wand_server.tools import ends
from wand_server.tools.command import ExecuteCommand
from wand_server.tools.live import Live
from wand_server.tools.registry import Registry

LOST = "stdout: 12 bytes are lost: the host agent died, or had no room to keep them"


async def run(host: FakeHost, **arguments: Any) -> ToolResult:
    return await Registry(host).call("execute_command", arguments or {"command": "true"}, call())


async def test_shell_text_and_words_reach_the_host_as_they_were_given() -> None:
    host = FakeHost()

    await run(host, command="ls | wc", directory="src", environment={"CI": "1"}, stdin="é", timeout_seconds=5)
    await run(host, argv=["git", "log", "a b"])

    assert host.asked == [
        ports.Command(
            shell="ls | wc", directory="src", environment={"CI": "1"}, stdin="é".encode(), wall_seconds=5
        ),
        ports.Command(argv=("git", "log", "a b")),
    ]


async def test_what_was_printed_comes_back_in_both_forms() -> None:
    result = await run(FakeHost(outcome=outcome(b"out\n", b"err\n")))

    assert result.text == "exit code 0 after 250 ms in /work (job j1)\n--- stdout\nout\n--- stderr\nerr"
    assert (result.structured["stdout"], result.structured["stderr"]) == ("out\n", "err\n")


async def test_a_silent_command_says_so() -> None:
    assert (await run(FakeHost())).text.endswith("It printed nothing.")


@pytest.mark.parametrize(
    ("changes", "is_error", "said"),
    [
        ({"exit_code": 1}, False, "exit code 1 after"),
        ({"reason": "signaled", "exit_code": None, "signal": 11}, False, "signaled: ended by SIGSEGV"),
        ({"reason": "timed_out", "exit_code": None, "signal": 9}, True, "larger timeout_seconds"),
        ({"reason": "output_limit", "exit_code": None, "signal": 9}, True, "Redirect its output"),
        ({"reason": "cancelled", "exit_code": None, "signal": 9}, True, "The call was cancelled"),
        ({"reason": "lost", "exit_code": None, "signal": None}, True, "Look at what it changed"),
        ({"reason": "lost", "exit_code": None, "signal": None}, True, "lost after"),
    ],
)
async def test_only_a_command_that_was_stopped_is_an_error(
    changes: dict[str, Any], *, is_error: bool, said: str
) -> None:
    result = await run(FakeHost(outcome=outcome(**changes)))

    assert result.is_error is is_error
    assert said in result.text
    assert result.structured["reason"] == changes.get("reason", "exited")


async def test_what_is_left_out_is_marked_with_the_way_to_read_it() -> None:
    printed = b"a" * 100 + b"z" * 50
    long = outcome(stdout=printed, stdout_bytes=10_150, stdout_omitted=(100, 10_100))

    text = (await run(FakeHost(outcome=long))).text

    marker = (
        '[... 10,000 bytes left out; to read them: read_file path="wand://jobs/j1/stdout" offset=100 ...]'
    )
    assert f"{'a' * 100}\n{marker}\n{'z' * 50}" in text


@pytest.mark.parametrize(
    ("stdout", "total", "omitted", "marker"),
    [
        (b"before\nafter\n", 25, (7, 19), "before\n\n[... 12 bytes lost ...]\nafter\n"),
        (b"after\n", 18, (0, 12), "\n[... 12 bytes lost ...]\nafter\n"),
        (b"ab", 102, (1, 101), "a\n[... 100 bytes left out, 12 of them lost; to read the rest: read_file "),
    ],
)
async def test_output_that_is_lost_is_said_to_be_lost(
    stdout: bytes, total: int, omitted: tuple[int, int], marker: str
) -> None:
    told = outcome(stdout, stdout_bytes=total, stdout_omitted=omitted, stdout_lost_bytes=12)

    result = await run(FakeHost(outcome=told))

    assert result.structured["stdout"].startswith(marker)
    assert result.structured["notes"] == [LOST]
    assert "12 bytes are lost" in result.text


async def test_two_full_streams_stay_within_the_ceiling_of_a_result() -> None:
    full = b"x" * (32 * 1024)
    cut = (24 * 1024, 2**30 - 8 * 1024)
    long = outcome(full, full, stdout_bytes=2**30, stderr_bytes=2**30, stdout_omitted=cut, stderr_omitted=cut)

    result = await run(FakeHost(outcome=long))

    assert len(result.text.encode()) <= 64 * 1024
    assert result.text.count("bytes left out") == 2


async def test_binary_output_is_escaped_and_said_to_be_binary() -> None:
    result = await run(FakeHost(outcome=outcome(b"\x7fELF\x00\x01" * 1000)))

    assert "stdout is binary: 6,000 bytes, the first 512 shown escaped" in result.text
    assert "\\x7fELF\\x00\\x01" in result.structured["stdout"]
    assert len(result.text) < 6000


async def test_a_signal_without_a_name_keeps_its_number() -> None:
    odd = outcome(reason="signaled", exit_code=None, signal=99)

    assert (await run(FakeHost(outcome=odd))).structured["signal"] == "signal 99"


async def test_live_output_is_told_while_the_command_runs() -> None:
    told: list[tuple[float, float | None, str]] = []
    arrived = asyncio.Event()

    async def progress(done: float, total: float | None, message: str) -> None:
        told.append((done, total, message))
        arrived.set()

    async def print_and_wait(on_output: ports.OnOutput) -> None:
        for text in (b"collecting\n", b"2 passed\n"):
            arrived.clear()
            await on_output("stdout", text)
            await asyncio.wait_for(arrived.wait(), 20)

    await ExecuteCommand(command="pytest").call(FakeHost(while_running=print_and_wait), call(progress))

    assert [message for _, _, message in told] == ["collecting", "2 passed"]
    assert told[0][0] < told[1][0]


async def test_without_a_wish_for_progress_the_host_streams_nothing() -> None:
    async def fail(_: ports.OnOutput) -> None:
        raise AssertionError

    await ExecuteCommand(command="true").call(FakeHost(while_running=fail), call())


async def test_a_silent_command_gives_signs_of_life_that_rise() -> None:
    told: list[tuple[float, str]] = []
    enough = asyncio.Event()

    async def progress(done: float, _: float | None, message: str) -> None:
        told.append((done, message))
        if len(told) == 2:
            enough.set()

    async with Live(progress, silence_seconds=0.01):
        await asyncio.wait_for(enough.wait(), 20)

    assert [message for _, message in told] == ["running 0 s, no output yet", "running 0 s, no output yet"]
    assert told[0][0] < told[1][0]


async def test_a_flood_is_told_by_its_newest_thousand_characters() -> None:
    told: list[str] = []
    arrived = asyncio.Event()

    async def progress(_: float, __: float | None, message: str) -> None:
        told.append(message)
        arrived.set()

    async with Live(progress) as live:
        for number in range(10_000):
            await live.on_output("stdout", f"{number}\n".encode())
        await asyncio.wait_for(arrived.wait(), 20)

    assert len(told) == 1
    assert len(told[0]) <= 1000
    assert told[0].startswith("...")
    assert told[0].endswith("9999")


async def test_a_client_that_cannot_be_told_does_not_end_the_command() -> None:
    async def progress(_: float, __: float | None, ___: str) -> None:
        raise ConnectionResetError

    async def print_something(on_output: ports.OnOutput) -> None:
        await on_output("stdout", b"hello\n")
        await asyncio.sleep(0)

    host = FakeHost(outcome=outcome(b"hello\n"), while_running=print_something)

    assert (await ExecuteCommand(command="true").call(host, call(progress))).stdout == "hello\n"


def test_every_reason_but_exited_is_explained() -> None:
    reasons: set[ports.Reason] = set(get_args(ports.Reason)) - {"exited", "running"}

    assert all(ends.notes(outcome(reason=reason)) for reason in reasons)


@pytest.mark.parametrize(
    ("reason", "limits", "said"),
    [
        ("out_of_memory", {"memory_bytes": 64 * 2**20}, "than the 64.0 MiB that they may have together"),
        ("out_of_memory", {}, "The machine ran out of memory"),
        ("process_limit", {"processes": 20}, "may have 20 processes at once"),
        ("disk_limit", {"disk_bytes": 2**30}, "than the 1.0 GiB that it may"),
        ("cpu_limit", {"cpu_seconds": 90}, "than the 90 s of processor time"),
        ("file_size_limit", {"file_size_bytes": 2**20}, "than the 1.0 MiB that any may have"),
    ],
)
async def test_a_limit_is_told_with_its_amount(
    reason: ports.Reason, limits: dict[str, float], said: str
) -> None:
    result = await run(FakeHost(outcome=outcome(reason=reason, exit_code=None, signal=9, limits=limits)))

    assert result.is_error
    assert said in result.text


async def test_a_limit_that_did_not_end_the_command_is_told_beside_its_exit() -> None:
    told = outcome(exit_code=2, also=("process_limit",), limits={"processes": 20})

    result = await run(FakeHost(outcome=told))

    assert not result.is_error
    assert result.structured["reason"] == "exited"
    assert "may have 20 processes at once" in result.text


@pytest.mark.parametrize(
    ("field", "said"),
    [("shell", "command"), ("argv.words[1]", "argv[1]"), ("directory", "directory")],
)
async def test_what_the_host_finds_wrong_is_named_as_the_caller_wrote_it(field: str, said: str) -> None:
    host = refusing(Invalid("is too long", field=field))

    result = await Registry(host).call("execute_command", {"command": "ls"}, call())

    assert result.text == f"Invalid: {said}: is too long"
