"""Long jobs by a real client: read, answered and collected whatever dies, and every call answered in time."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from session.course import STEPS, Session
from support import visits
from support.places import short_folder
from support.running import Running, embedded
from support.visits import agent_pid, begun, client_of, marked, recorded, text_of, use
from support.waiting import is_alive, until

QUICK = "answer_seconds = 1"


@pytest.fixture(scope="module")
def quick() -> Iterator[Running]:
    """A Wand whose calls are answered after a second."""
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as running:
            settings = running.state / "server.toml"
            settings.write_text(settings.read_text().replace("[execution]\n", f"[execution]\n{QUICK}\n"))
            assert QUICK in settings.read_text()
            server = visits.server_pid(running)
            os.kill(server, signal.SIGKILL)  # a new one reads it before it answers
            deadline = time.monotonic() + 20
            while is_alive(server) and time.monotonic() < deadline:
                time.sleep(0.05)
            yield running


async def told(wand: Running, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await use(wand, tool, **arguments)
    assert not result.is_error, text_of(result)
    return dict(result.structured_content)


async def begin(wand: Running, command: str, **more: Any) -> str:
    """A job in the background."""
    return str((await told(wand, "execute_command", command=command, background=True, **more))["job"])


async def ended(wand: Running, job: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (last := await told(wand, "send_input", job=job, wait_seconds=10))["running"]:
            pass
    return last


async def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not is_alive(pid))


async def test_a_job_is_read_answered_and_collected_though_the_server_dies_in_between(wand: Running) -> None:
    said: list[str] = []
    session = Session(wand, seconds=STEPS * 0.5, say=said.append)

    last = await session.whole()

    assert (last["running"], last["exit_code"], "released as v1.42" in last["stdout"]) == (False, 0, True)
    assert session.longest_seconds < 45
    head, *events = [json.loads(line) for line in session.cast.splitlines()]
    assert (head["version"], head["width"], head["height"]) == (2, 80, 24)
    times = [seconds for seconds, _, _ in events]
    assert times == sorted(times)
    assert STEPS * 0.5 <= times[-1] < 60
    played = "".join(text for _, kind, text in events if kind == "o")
    assert [f"built \x1b[32m{part}\x1b[0m of 10" in played for part in range(1, 11)] == [True] * 10
    assert "[y/N] y" in played


async def test_a_command_that_takes_too_long_runs_on_as_a_job_and_the_answer_says_so(quick: Running) -> None:
    await until_it_answers(quick)
    go = quick.workspace / "go-on"
    command = f"echo begun; until [ -e {go} ]; do sleep 0.01; done; echo done; exit 3"

    result = await use(quick, "execute_command", command=command)
    job = result.structured_content["job"]
    listed = await told(quick, "list_jobs")
    go.touch()
    last = await ended(quick, job)

    assert not result.is_error
    assert (result.structured_content["reason"], result.structured_content["stdout"]) == (
        "running",
        "begun\n",
    )
    assert "send_input waits for it" in text_of(result)
    assert [one["state"] for one in listed["jobs"] if one["job"] == job] == ["runs"]
    assert (last["exit_code"], last["stdout"]) == (3, "begun\ndone\n")
    assert job in [fields["job"] for fields in recorded(quick, "job_left")]


@pytest.mark.parametrize("part", ["server", "hostagent"])
async def test_a_job_that_its_call_has_left_outlives_either_half(quick: Running, part: str) -> None:
    await until_it_answers(quick)
    go = quick.workspace / f"go-{part}"
    command = f"echo begun; until [ -e {go} ]; do sleep 0.01; done; echo done"
    job = (await told(quick, "execute_command", command=command))["job"]

    await killed(visits.server_pid(quick) if part == "server" else agent_pid(quick))
    await until_it_answers(quick)
    go.touch()
    last = await ended(quick, job)

    assert (last["exit_code"], last["stdout"]) == (0, "begun\ndone\n")


async def until_it_answers(wand: Running) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await told(wand, "list_jobs")
            except Exception:  # noqa: BLE001 - whatever a client raises while nobody listens
                await asyncio.sleep(0.1)
            else:
                return


async def test_to_give_up_a_call_before_it_is_answered_still_ends_its_command(quick: Running) -> None:
    await until_it_answers(quick)
    mark = visits.mark()
    async with client_of(quick) as client:
        calling = asyncio.create_task(client.call_tool("execute_command", {"argv": ["sleep", mark]}))
        await until(lambda: marked(mark))
        calling.cancel()
        await asyncio.wait([calling])

    await until(lambda: not marked(mark))


async def test_how_a_job_ended_and_what_it_printed_outlives_the_host_agent(wand: Running) -> None:
    job = await begin(wand, "echo kept; exit 4", terminal=True, columns=132, rows=43)
    await ended(wand, job)

    await killed(agent_pid(wand))
    await until_it_answers(wand)
    last = await ended(wand, job)
    (listed,) = [one for one in (await told(wand, "list_jobs"))["jobs"] if one["job"] == job]
    screen = await told(wand, "read_file", path=f"wand://jobs/{job}/screen")

    assert (last["exit_code"], last["stdout"]) == (4, "kept\n")
    assert (listed["state"], listed["terminal"]) == ("exit code 4", "132x43")
    assert screen["content"].splitlines() == ["screen 132x43, cursor at 2:1", "kept"]


async def test_a_job_that_ignores_sigterm_is_said_to_run_on_and_does_not_survive_kill(wand: Running) -> None:
    mark = visits.mark()
    ignoring = f"trap '' TERM; echo ready; while true; do sleep {mark} & wait; done"
    job = await begin(wand, ignoring)
    await told(wand, "send_input", job=job, until="ready", wait_seconds=10)

    asked = await use(wand, "send_input", job=job, signal="TERM", wait_seconds=0.5)
    last = await told(wand, "send_input", job=job, signal="KILL", wait_seconds=10)

    assert "It was sent TERM and still runs; KILL cannot be ignored." in text_of(asked)
    assert (last["running"], last["signal"]) == (False, "SIGKILL")
    await until(lambda: not marked(mark))
    assert [fields["signal"] for fields in recorded(wand, "signal") if fields["job"] == job] == [15, 9]


async def test_waiting_ends_on_words_on_silence_and_in_time(wand: Running) -> None:
    job = await begin(wand, "for i in 1 2 3 4 5; do echo line $i >&2; sleep 0.2; done; sleep 60")

    words = await told(wand, "send_input", job=job, until="line [34]", wait_seconds=20)
    silence = await told(wand, "send_input", job=job, quiet_seconds=1, wait_seconds=30)
    in_time = await told(wand, "send_input", job=job, until="never", wait_seconds=0.3)
    await told(wand, "send_input", job=job, signal="KILL", wait_seconds=10)

    assert any(note in words["notes"] for note in ("found: line 3", "found: line 4"))
    assert silence["running"]
    assert silence["stderr"].endswith("line 5\n")
    assert "`until` was not printed." in in_time["notes"]


async def test_what_an_ended_job_printed_is_searched_and_read_from_its_end(wand: Running) -> None:
    job = await begin(wand, "seq 1 200000; printf '\\033[31mred\\033[0m end\\n'")
    await ended(wand, job)
    path = f"wand://jobs/{job}/stdout"

    found = await told(wand, "search_files", path=path, pattern="^1999(9|8)9$|^red end$")
    second = await told(wand, "search_files", path=path, pattern="7", max_matches=2, skip=2)
    tail = await told(wand, "read_file", path=path, first_line=-2)

    assert [(one["line"], one["text"]) for one in found["matches"]] == [
        (199989, "199989"), (199999, "199999"), (200001, "red end"),
    ]  # fmt: skip
    assert ([one["text"] for one in second["matches"]], second["truncated"]) == (["27", "37"], True)
    assert tail["content"] == "200000\nred end\n"


async def test_a_terminal_has_no_size_of_nothing(wand: Running) -> None:
    job = await begin(wand, "sleep 60", terminal=True)

    refused = await use(wand, "send_input", job=job, columns=0, rows=0)
    await told(wand, "send_input", job=job, signal="KILL", wait_seconds=10)

    assert refused.is_error
    assert "columns: must be at least 1" in text_of(refused)


async def test_a_call_whose_host_agent_dies_is_answered_in_time_and_its_job_runs_on(quick: Running) -> None:
    await until_it_answers(quick)
    go, mark = quick.workspace / "go-after", visits.mark()
    command = f"sleep {mark} & until [ -e {go} ]; do sleep 0.01; done; kill %1; echo done"
    calling = await begun(quick, command, mark)  # else nobody could know that it was started
    await killed(agent_pid(quick))

    result = await asyncio.wait_for(calling, 20)
    assert not result.is_error, text_of(result)
    go.touch()
    last = await ended(quick, result.structured_content["job"])

    assert (result.structured_content["reason"], last["exit_code"]) == ("running", 0)
    assert last["stdout"].endswith("done\n")
