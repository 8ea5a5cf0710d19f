"""The gate over a real launcher: what the fake promises is so."""

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.gates import House, house
from support.launcher_client import Launcher, launched, marked
from support.people import ANN, job, shell
from support.waiting import open_files, until
from wand_hostagent.filesystem.model import Mode, Write
from wand_hostagent.model import Event, Exited, FileVerb, Limits, Output, Reason, Started
from wand_hostagent.policy.model import Rule, Verdict
from wand_proto.errors import Denied, NotFound, WandError

RULES = (
    Rule(name="anything", verdict=Verdict.ALLOW, programs=("*",), limits=Limits(wall_seconds=40.0)),
    Rule(name="files", verdict=Verdict.ALLOW, paths=("/",), verbs=(FileVerb.READ, FileVerb.WRITE)),
    Rule(name="no rm", verdict=Verdict.DENY, programs=("rm",)),
)
NAP = 10_000 + os.getpid()  # seconds that no process of another run sleeps
PROFILE = 'environment_allowed = ["FORCE_COLOR"]\n' + "[limits]\nwall_seconds = 50\n"


@asynccontextmanager
async def real_house(**parts: Any) -> AsyncIterator[tuple[Launcher, House]]:
    before = open_files()
    with launched(PROFILE) as launcher:
        async with house(launcher.socket, launcher.folder / "spool", **parts) as every:
            every.rules.rules = RULES
            yield launcher, every
    assert not open_files() - before


async def all_of(events: AsyncIterator[Event]) -> list[Event]:
    async with asyncio.timeout(60):
        return [event async for event in events]


def text(events: list[Event], stream: str = "stdout") -> bytes:
    return b"".join(one.data for one in events if isinstance(one, Output) and one.stream == stream)


def end(events: list[Event]) -> Exited:
    last = events[-1]
    assert isinstance(last, Exited)
    return last


async def test_a_job_runs_where_and_within_what_the_profile_says() -> None:
    async with real_house() as (launcher, every):
        asked = shell(
            "pwd; cat; echo $FORCE_COLOR >&2; exit 3", stdin=b"given\n", environment={"FORCE_COLOR": "1"}
        )
        events = await all_of(every.gate.run(ANN, asked))
        await until(lambda: launcher.records("end"))
        (told,) = told_of(launcher, "run")

    assert isinstance(events[0], Started)
    assert (events[0].profile, events[0].limits.wall_seconds, events[0].rule) == ("p", 40, "anything")
    assert text(events) == f"{launcher.workspace}\ngiven\n".encode()
    assert (text(events, "stderr"), end(events).exit_code) == (b"1\n", 3)
    assert told["why"]["principal"] == "ann"
    assert told["why"]["stdin_bytes"] == 6


@pytest.mark.parametrize(
    ("asked", "kind", "field"),
    [
        (job("no-such-program"), NotFound, "argv"),
        (job("true", directory="no-such-folder"), NotFound, "directory"),
        (job("true", directory="/etc"), Denied, "directory"),
        (job("true", environment={"LD_PRELOAD": "x"}), Denied, "environment"),
    ],
)
async def test_what_the_launcher_refuses_comes_back_by_name(
    asked: Any, kind: type[WandError], field: str
) -> None:
    async with real_house() as (_, every):
        with pytest.raises(kind) as caught:
            await all_of(every.gate.run(ANN, asked))
        assert every.jobs.running == 0

    assert caught.value.field.startswith(field)


async def test_a_refusal_is_in_the_ledger_when_it_is_told() -> None:
    async with real_house() as (launcher, every):
        with pytest.raises(Denied):
            await all_of(every.gate.run(ANN, job("rm", "x")))
        (told,) = told_of(launcher, "refused")

    assert (told["argv"], told["rule"], told["principal"]) == (["rm", "x"], "no rm", "ann")


async def test_what_a_job_wrote_is_in_the_ledger_by_its_digest() -> None:
    async with real_house() as (launcher, every):
        await all_of(every.gate.run(ANN, shell("echo out; echo err >&2; head -c 300000 /dev/zero")))
        await all_of(every.gate.run(ANN, job("true")))
        await until(lambda: len(told_of(launcher, "end")) == 2 and told_of(launcher, "output"))
        (told,) = told_of(launcher, "output")

    assert (told["stdout_bytes"], told["stderr_bytes"]) == (300_004, 4)
    assert told["stdout_sha256"] == hashlib.sha256(b"out\n" + bytes(300_000)).hexdigest()
    assert told["stderr_sha256"] == hashlib.sha256(b"err\n").hexdigest()


async def test_a_change_of_a_file_is_in_the_ledger_twice() -> None:
    async with real_house() as (launcher, every):
        await every.gate.use_file(ANN, "f1", Write(path="a", data=b"x", mode=Mode.CREATE))
        before, after = told_of(launcher, "file") + told_of(launcher, "file_end")

    assert before["path"] == after["path"] == f"{launcher.workspace}/a"
    assert after["ok"] is True


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (shell(f"setsid sleep {NAP} & sleep {NAP}", limits=Limits(wall_seconds=0.3)), Reason.TIMED_OUT),
        (shell("cat /dev/zero", limits=Limits(output_bytes=300_000)), Reason.OUTPUT_LIMIT),
        (shell("kill -9 $$"), Reason.SIGNALED),
        (shell("setsid sleep 0.1 & exit 0"), Reason.EXITED),
    ],
)
async def test_every_end_has_its_reason_and_leaves_nothing(asked: Any, reason: Reason) -> None:
    async with real_house() as (launcher, every):
        ended = end(await all_of(every.gate.run(ANN, asked)))
        await until(lambda: not marked(f"sleep\0{NAP}"))
        await until(lambda: launcher.records("end"))

    assert ended.reason is reason


async def test_closing_a_run_ends_even_what_has_left_the_session() -> None:
    async with real_house() as (launcher, every):
        asked = shell(f"setsid sleep {NAP} & echo up; sleep {NAP}")
        async with aclosing(every.gate.run(ANN, asked)) as events:
            await anext(events)
            await anext(events)
        await until(lambda: not marked(f"sleep\0{NAP}"))
        await until(lambda: launcher.records("end"))
        (told,) = told_of(launcher, "end")

    assert told["reason"] == "cancelled"


async def test_a_launcher_that_is_killed_takes_its_jobs_along_and_its_successor_is_used() -> None:
    async with real_house() as (launcher, every):
        asked = shell(f"echo up; setsid sleep {NAP} & sleep {NAP}")
        running = asyncio.create_task(all_of(every.gate.run(ANN, asked)))
        await until(lambda: every.jobs.running and every.jobs.of("ann", asked.id).offsets()[0])
        launcher.kill(signal.SIGKILL)
        ended = end(await running)
        await until(lambda: not marked(f"sleep\0{NAP}"))
        launcher.restart()
        async with asyncio.timeout(60):
            await every.link.next_connection(1)
        again = await all_of(every.gate.run(ANN, job("echo", "again")))
        (lost,) = told_of(launcher, "ambiguous")

    assert (ended.reason, ended.stdout_bytes) == (Reason.LOST, 3)
    assert text(again) == b"again\n"
    assert lost["job"] == asked.id


async def test_the_next_host_agent_finds_jobs_and_what_they_wrote_meanwhile() -> None:
    with launched(PROFILE) as launcher:
        spool, go = launcher.folder / "spool", launcher.workspace / "go"
        asked = shell("echo one; until test -e go; do sleep 0.01; done; echo two", detached=True)
        async with house(launcher.socket, spool) as first:
            first.rules.rules = RULES
            async with aclosing(first.gate.run(ANN, asked)) as events:
                await anext(events)
            await until(lambda: first.jobs.of("ann", asked.id).offsets()[0] == 4)
        touch(go)
        await until(lambda: launcher.records("end"))
        async with house(launcher.socket, spool) as second:
            (summary,) = second.gate.list_jobs(ANN)
            events_again = await all_of(second.gate.attach(ANN, asked.id, 0, 0))
            await until_forgotten(second)

    assert summary.job == asked.id
    assert text(events_again) == b"one\ntwo\n"
    assert end(events_again).reason is Reason.EXITED


async def test_a_host_agent_that_goes_away_leaves_the_writing_job_unharmed() -> None:
    """The launcher holds the read ends: no SIGPIPE, and the pipe fills until somebody reads."""
    with launched(PROFILE) as launcher:
        spool, size = launcher.folder / "spool", 3_000_000
        asked = shell(f"until test -e go; do sleep 0.01; done; head -c {size} /dev/zero", detached=True)
        async with house(launcher.socket, spool) as first:
            first.rules.rules = RULES
            async with aclosing(first.gate.run(ANN, asked)) as events:
                await anext(events)
        touch(launcher.workspace / "go")
        async with house(launcher.socket, spool) as second:
            ended = await asyncio.wait_for(second.gate.wait(ANN, asked.id), 30)

    assert (ended.reason, ended.exit_code, ended.stdout_bytes) == (Reason.EXITED, 0, size)


async def test_forty_jobs_at_once_each_get_their_own_output() -> None:
    async with real_house() as (_, every):
        asked = [shell(f"echo {number}; echo {number} >&2") for number in range(40)]
        ran = await asyncio.gather(*(all_of(every.gate.run(ANN, one)) for one in asked))

    assert [text(events) for events in ran] == [f"{number}\n".encode() for number in range(40)]
    assert [text(events, "stderr") for events in ran] == [f"{number}\n".encode() for number in range(40)]


def told_of(launcher: Launcher, event: str) -> list[dict[str, Any]]:
    """What the ledger says of every event of that name."""
    return [line["fields"] for line in launcher.records(event)]


def touch(path: Path) -> None:
    path.touch()


async def until_forgotten(every: House) -> None:
    async with asyncio.timeout(60):
        while await every.link.jobs():  # noqa: ASYNC110 - another process forgets
            await asyncio.sleep(0.002)


async def test_an_auditor_reads_the_last_records_and_nobody_else_does() -> None:
    async with real_house() as (launcher, every):
        with pytest.raises(Denied, match="group 'auditors'"):
            await every.gate.audit(ANN)
        lines = await every.gate.audit(replace(ANN, groups=("auditors",)))
        assert lines == tuple(launcher.ledger.read_text().splitlines())
        events = [json.loads(line)["event"] for line in lines]
        assert events[-2:] == ["refused", "audit_read"]


async def test_of_a_long_ledger_an_auditor_reads_whole_lines_of_the_end() -> None:
    async with real_house() as (launcher, every):
        for number in range(40):
            await every.link.record("odd", {"text": '"\\' * 1000, "number": number})
        lines = await every.gate.audit(replace(ANN, groups=("auditors",)))
        written = launcher.ledger.read_text().splitlines()
        assert 5 < len(lines) < 40
        assert list(lines) == written[-len(lines) :]
        while before := json.loads(lines[0])["seq"]:
            lines = await every.gate.audit(replace(ANN, groups=("auditors",)), before)
            assert list(lines) == written[before - len(lines) : before]
        assert json.loads(launcher.ledger.read_text().splitlines()[-1])["fields"]["before"]
