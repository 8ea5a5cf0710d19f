"""One whole call, from a real MCP client to a command on this host, through an embedded Wand."""

import asyncio
import hashlib
from typing import Any

import pytest

from support import visits
from support.running import Running
from support.visits import client_of, marked, recorded, run, text_of, use
from support.waiting import until


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_command_tells_what_it_prints_while_it_runs(wand: Running, mode: str) -> None:
    told: list[tuple[float, str]] = []
    go = wand.workspace / f"go-{mode}"

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message or ""))
        if "live" in told[-1][1]:
            go.touch()

    async with client_of(wand, mode) as client:
        asked = {"command": "echo first; read line; echo $line >&2; exit 3", "stdin": "second\n"}
        result = await client.call_tool("execute_command", asked, progress_callback=on_progress)
        waits = f"echo live; until [ -e {go} ]; do sleep 0.01; done"
        await client.call_tool("execute_command", {"command": waits}, progress_callback=on_progress)

    answer = result.structured_content
    assert answer is not None
    assert (answer["exit_code"], answer["stdout"], answer["stderr"]) == (3, "first\n", "second\n")
    assert not result.is_error
    assert any("live" in message for _, message in told)


async def test_the_ledger_tells_who_ran_what(wand: Running) -> None:
    answer = await run(wand, "echo recorded-$((6 * 7))")

    (begun,) = [line for line in recorded(wand, "run") if line["job"] == answer["job"]]
    assert begun["argv"][-1] == "echo recorded-$((6 * 7))"
    assert begun["why"]["principal"]
    await until(lambda: any(line["job"] == answer["job"] for line in recorded(wand, "end")))


async def test_a_program_is_run_without_a_shell(wand: Running) -> None:
    result = await use(wand, "execute_command", argv=["printf", "%s|", "a b", "$HOME", "*"])

    assert result.structured_content["stdout"] == "a b|$HOME|*|"


async def test_directory_and_environment_are_as_asked(wand: Running) -> None:
    (wand.workspace / "below").mkdir()

    answer = await run(wand, "pwd; echo $CI", directory="below", environment={"CI": "yes"})

    assert answer["stdout"] == f"{wand.workspace / 'below'}\nyes\n"


async def test_files_are_written_edited_searched_and_read(wand: Running) -> None:
    written = await use(
        wand, "write_file", path="src/a.py", content="def one():\n    return 1\n", create_directories=True
    )
    edits = [{"old_text": "return 1", "new_text": "return 2"}]
    digest = written.structured_content["sha256"]
    edited = await use(wand, "write_file", path="src/a.py", edits=edits, expected_sha256=digest)
    stale = await use(wand, "write_file", path="src/a.py", edits=edits, expected_sha256=digest)
    found = await use(wand, "search_files", pattern=r"return \d", name_glob="*.py")
    read = await use(wand, "read_file", path="src/a.py")
    listing = await use(wand, "list_directory", path="src")

    assert "+    return 2" in edited.structured_content["diff"]
    assert text_of(stale).startswith("Conflict: ")
    assert found.structured_content["matches"][0]["text"].strip() == "return 2"
    assert read.structured_content["content"] == "def one():\n    return 2\n"
    assert read.structured_content["sha256"] == hashlib.sha256(b"def one():\n    return 2\n").hexdigest()
    assert [entry["path"] for entry in listing.structured_content["entries"]] == ["a.py"]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("read_file", {"path": "/etc/passwd"}, "Denied: "),
        ("read_file", {"path": "../outside"}, "Denied: "),
        ("read_file", {"path": "absent.txt"}, "NotFound: "),
        ("write_file", {"path": "/etc/wand-was-here", "content": "x"}, "Denied: "),
        ("execute_command", {"argv": ["no-such-program-here"]}, "NotFound: "),
        ("execute_command", {"command": "true", "directory": "/nowhere"}, ": "),
        ("execute_command", {"command": "true", "environment": {"LD_PRELOAD": "x"}}, "LD_PRELOAD"),
        ("execute_command", {"command": "x" * 200_000}, "Invalid: "),
        ("read_file", {"path": "wand://jobs/nobody/stdout"}, "NotFound: "),
        ("search_files", {"pattern": "("}, "Invalid: "),
        ("execute_command", {"comand": "true"}, "did you mean command?"),
    ],
)
async def test_bad_input_gets_a_clear_answer(
    wand: Running, tool: str, arguments: dict[str, Any], said: str
) -> None:
    result = await use(wand, tool, **arguments)

    assert result.is_error, text_of(result)
    assert said in text_of(result)


async def test_of_a_flood_both_ends_come_back_and_the_rest_is_read_on(wand: Running) -> None:
    answer = await run(wand, "seq 1 1000000")

    assert answer["stdout"].startswith("1\n2\n")
    assert answer["stdout"].endswith("999999\n1000000\n")
    assert answer["stdout_bytes"] == 6_888_896
    path = f"wand://jobs/{answer['job']}/stdout"
    part = await use(wand, "read_file", path=path, offset=6_888_880)
    assert part.structured_content["content"] == "999998\n999999\n1000000\n"[-16:]


async def test_binary_output_is_said_to_be_binary(wand: Running) -> None:
    answer = await run(wand, r"printf '\x7fELF\x00\x01'")

    assert "stdout is binary" in answer["notes"][0]
    assert answer["stdout"] == "\\x7fELF\\x00\\x01"


async def test_a_command_that_takes_too_long_is_ended_with_its_children(wand: Running) -> None:
    mark = visits.mark()

    result = await use(wand, "execute_command", command=f"sleep {mark} & sleep {mark}", timeout_seconds=0.5)

    assert result.is_error
    assert result.structured_content["reason"] == "timed_out"
    await until(lambda: not marked(mark))


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_call_that_is_cancelled_leaves_no_process(wand: Running, mode: str) -> None:
    mark = visits.mark()
    async with client_of(wand, mode) as client:
        calling = asyncio.create_task(
            client.call_tool("execute_command", {"command": f"sleep {mark} & sleep {mark}"})
        )
        await until(lambda: len(marked(mark)) == 2)
        calling.cancel()
        await asyncio.wait([calling])
        await until(lambda: not marked(mark))
        await client.list_tools()  # the connection lives on


async def test_a_client_that_goes_away_leaves_no_process(wand: Running) -> None:
    mark = visits.mark()
    _, writer = await asyncio.open_connection("127.0.0.1", int(wand.url.split(":")[2].split("/")[0]))
    writer.write(visits.raw_call(wand, "execute_command", {"command": f"sleep {mark}"}))
    await until(lambda: marked(mark))

    writer.transport.abort()

    await until(lambda: not marked(mark))


async def test_many_commands_at_once_each_get_their_own_answer(wand: Running) -> None:
    async with client_of(wand) as client:
        results = await asyncio.gather(
            *(client.call_tool("execute_command", {"command": f"echo {number}"}) for number in range(20))
        )

    assert [result.structured_content["stdout"] for result in results if result.structured_content] == [
        f"{number}\n" for number in range(20)
    ]


async def test_the_host_says_what_bounds_a_command(wand: Running) -> None:
    status = await use(wand, "get_system_status")
    found = await use(wand, "check_command_exists", names=["sh", "no-such-program-here"])

    assert status.structured_content["launcher_up"] is True
    assert any(each["name"] == "network" for each in status.structured_content["guarantees"])
    commands = found.structured_content["commands"]
    assert [(each["exists"], each["permitted"]) for each in commands] == [(True, True), (False, False)]
