"""send_input, and the jobs in the background that it is for: what is asked of the host, what comes back."""

from typing import Any

import pytest

from support.host import FakeHost, call
from wand_server import ports
from wand_server.model import ToolResult
from wand_server.tools.registry import Registry

ANSWERED = ports.OutputPart(data=b"\x1b[1m>>>\x1b[0m \r\n", offset=7, total_bytes=21, running=True)
ENDED = ports.OutputPart(data=b"", offset=7, total_bytes=7, running=False)


async def use(host: FakeHost, tool: str = "send_input", **arguments: Any) -> ToolResult:
    return await Registry(host).call(tool, arguments, call())


async def sent(**arguments: Any) -> ports.Input:
    host = FakeHost(part=ENDED)
    await use(host, job="j1", **arguments)
    return host.fed[0]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({}, ports.Input()),
        ({"text": "é\n"}, ports.Input(data=b"\xc3\xa9\n")),
        ({"key": "ctrl-c"}, ports.Input(interrupt=True)),
        ({"key": "ctrl-d"}, ports.Input(end=True)),
        ({"text": "y", "key": "enter"}, ports.Input(data=b"y\r")),
        ({"key": "up"}, ports.Input(data=b"\x1b[A")),
        ({"columns": 132, "rows": 43}, ports.Input(size=(132, 43))),
    ],
)
async def test_text_keys_and_sizes_reach_the_host_as_what_they_are(
    arguments: dict[str, Any], given: ports.Input
) -> None:
    assert await sent(**arguments) == given


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"job": "../j"}, "job: "),
        ({"job": "j", "key": "ctrl-x"}, "key: must be"),
        ({"job": "j", "columns": 80}, "columns and rows together"),
        ({"job": "j", "text": "x" * 70_000}, "64 KiB"),
        ({"text": "x"}, "job: is missing"),
        ({"job": "j", "wait_seconds": 41}, "at most 40"),
        ({"job": "j", "columns": 0, "rows": 0}, "columns: must be at least 1"),
        ({"job": "j", "signal": "STOP"}, "signal: must be"),
        ({"job": "j", "until": "["}, "until: is no regular expression"),
    ],
)
async def test_input_that_makes_no_sense_is_refused_in_words(arguments: dict[str, Any], said: str) -> None:
    host = FakeHost()
    result = await use(host, **arguments)

    assert result.is_error
    assert said in result.text
    assert not host.asked


async def test_what_a_job_answers_comes_without_control_sequences_and_with_where_to_go_on() -> None:
    result = await use(FakeHost(part=ANSWERED), job="j1", text="x\n", wait_seconds=0)

    assert result.text == "job j1 runs\n--- stdout\n>>>\n--- stderr\n>>>"  # the fake has one part for both
    assert (result.structured["running"], result.structured["next_offset"]) == (True, 21)


async def test_it_waits_no_longer_than_it_was_told_for_a_job_that_says_nothing() -> None:
    silent = ports.OutputPart(data=b"", offset=7, total_bytes=7, running=True)
    result = await use(FakeHost(part=silent), job="j1", text="x", wait_seconds=0.25)

    assert result.text == "job j1 runs; it printed nothing so far"


async def test_where_nothing_is_sent_the_last_that_was_printed_is_shown_too() -> None:
    silent = ports.OutputPart(data=b"", offset=9000, total_bytes=9000, running=True)
    waiting, typing = FakeHost(part=silent), FakeHost(part=silent)
    await use(waiting, job="j1", wait_seconds=0)
    await use(typing, job="j1", text="x", wait_seconds=0)

    assert waiting.asked[1] == ("j1", "stdout", (9000 - 4096, 24 * 1024))
    assert typing.asked[1] == ("j1", "stdout", (9000, 24 * 1024))


async def test_what_comes_too_late_is_said_to_have_been_sent_to_nobody() -> None:
    result = await use(FakeHost(part=ENDED), job="j1", text="x")

    assert "It had ended before, so nothing was sent." in result.text


async def test_a_job_that_has_ended_says_how() -> None:
    result = await use(FakeHost(part=ENDED), job="j1")

    assert result.text == "job j1 has ended: exit code 3"
    assert (result.structured["reason"], result.structured["exit_code"]) == ("exited", 3)


async def test_of_a_job_that_is_lost_no_exit_code_is_said() -> None:
    lost = ports.JobEnd(reason="lost", exit_code=None, signal=None)
    result = await use(FakeHost(part=ENDED, end=lost), job="j1")

    assert result.text.startswith("job j1 is lost: nobody knows how it ended")


async def test_an_offset_shows_what_was_printed_before_too() -> None:
    host = FakeHost(part=ENDED)
    await use(host, job="j1", offset=2)

    assert ("j1", "stdout", (2, 24 * 1024)) in host.asked


async def test_more_than_fits_is_said_with_the_way_to_read_it() -> None:
    part = ports.OutputPart(data=b"x", offset=0, total_bytes=9, running=True)
    result = await use(FakeHost(part=part), job="j1", wait_seconds=0)

    assert 'stdout goes on: read_file path="wand://jobs/j1/stdout" offset=1' in result.text


@pytest.mark.parametrize(
    ("arguments", "stdin_open", "terminal"),
    [
        ({}, False, None),
        ({"stdin": ""}, True, None),
        ({"stdin": "x"}, True, None),
        ({"terminal": True}, True, (0, 0)),
        ({"terminal": True, "columns": 132, "rows": 43}, True, (132, 43)),
    ],
)
async def test_in_the_background_input_stays_open_where_it_was_asked_for(
    arguments: dict[str, Any], *, stdin_open: bool, terminal: ports.Size | None
) -> None:
    host = FakeHost()
    result = await use(host, "execute_command", command="x", background=True, **arguments)

    (asked,) = host.asked
    assert isinstance(asked, ports.Command)
    assert (asked.stdin_open, asked.terminal) == (stdin_open, terminal)
    assert result.text.startswith("job j1 runs in /work\n")
    assert ("types to it" in result.text) is stdin_open
    assert not result.is_error


async def test_in_the_foreground_input_ends_with_what_was_given() -> None:
    host = FakeHost()
    await use(host, "execute_command", command="x", terminal=True, stdin="y\n")

    assert host.asked == [ports.Command(shell="x", stdin=b"y\n", terminal=(0, 0))]


async def test_a_size_without_a_terminal_is_refused() -> None:
    result = await use(FakeHost(), "execute_command", command="x", columns=80)

    assert "set terminal too" in result.text


async def test_a_signal_goes_to_the_job_and_silence_does_not_end_the_waiting() -> None:
    running = ports.OutputPart(data=b"x", offset=0, total_bytes=1, running=True)
    host = FakeHost(part=running)
    result = await use(host, job="j1", signal="TERM", wait_seconds=0)

    assert "signal 15 to j1" in host.asked
    assert "It was sent TERM and still runs" in result.text


async def test_a_signal_to_a_job_that_has_ended_is_sent_to_nobody() -> None:
    host = FakeHost(part=ENDED)
    result = await use(host, job="j1", signal="KILL")

    assert "signal 9 to j1" not in host.asked
    assert "It had ended before" in result.text


@pytest.mark.parametrize(
    ("arguments", "begin"),
    [({}, 0), ({"text": "x\n"}, 7), ({"text": "x\n", "offset": 3}, 3), ({"offset": 3}, 3)],
)
async def test_words_are_looked_for_in_what_is_new_or_in_all_where_nothing_was_sent(
    arguments: dict[str, Any], begin: int
) -> None:
    found = ports.Found(
        path="", matches=(ports.Match(path="", line=1, text="ready"),), truncated=False, files_searched=1,
        files_skipped=0,
    )  # fmt: skip
    host = FakeHost(part=ANSWERED, found=found)
    result = await use(host, job="j1", until="ready", wait_seconds=5, **arguments)

    (searched, *_) = [one for one in host.asked if isinstance(one, tuple) and len(one) == 4]
    assert searched == ("j1", "stdout", begin, ports.Search(pattern="ready", max_matches=1))
    assert "found: ready" in result.text
