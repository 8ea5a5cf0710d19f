"""What the launcher does not start is on record all the same, before it begins and when it has ended."""

import asyncio
import errno
import os
import signal
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.elsewhere import Elsewhere
from support.people import job, permit
from wand_hostagent.backends.base import Left
from wand_hostagent.dispatch import Begun, Note, Recorded
from wand_hostagent.model import Event
from wand_proto.errors import Ambiguous, Denied, Exhausted, NotFound, Unavailable, WandError


class Ledger:
    """Remembers; says no where it was told to."""

    def __init__(self, *refuses: str) -> None:
        self.refuses = refuses
        self.records: list[tuple[str, Mapping[str, Any]]] = []

    async def record(self, event: str, fields: Mapping[str, Any]) -> None:
        if event in self.refuses:
            raise Exhausted("the disk is full")
        self.records.append((event, fields))

    def ends(self) -> list[str]:
        return [fields["reason"] for event, fields in self.records if event == "dispatch_end"]


def recorded(folder: Path, ledger: Ledger, backend: Elsewhere) -> Recorded:
    return Recorded(backend, ledger.record, Begun(folder / "begun", ledger.record))


async def all_of(backend: Recorded, *argv: str) -> list[Event]:
    async with asyncio.timeout(60), aclosing(backend.run(permit(job(*argv, stdin=b"x")))) as events:
        return [event async for event in events]


async def test_a_job_is_on_record_before_it_begins_and_when_it_has_ended(tmp_path: Path) -> None:
    ledger, elsewhere = Ledger(), Elsewhere("moon:base")
    await all_of(recorded(tmp_path, ledger, elsewhere), "ls", "-l")

    (begin, asked), (end, outcome) = ledger.records
    assert (begin, end) == ("dispatch", "dispatch_end")
    assert (asked["backend"], asked["argv"], asked["rule"]) == ("moon:base", ["ls", "-l"], "people")
    assert (asked["principal"], asked["stdin_bytes"]) == ("ann", 1)
    assert (outcome["reason"], outcome["exit_code"], outcome["stdout_bytes"]) == ("exited", 0, 10)
    assert outcome["job"] == asked["job"]
    assert not list((tmp_path / "begun").iterdir())


async def test_what_cannot_be_recorded_does_not_begin(tmp_path: Path) -> None:
    elsewhere = Elsewhere("moon")
    with pytest.raises(Exhausted):
        await all_of(recorded(tmp_path, Ledger("dispatch"), elsewhere), "ls")
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"fails": Unavailable("away")}, "not_started"),
        ({"fails": Ambiguous("broke")}, "lost"),
        ({"fails_after_start": Ambiguous("broke")}, "lost"),
        ({"fails": KeyError("a defect of somebody's")}, "lost"),
    ],
)
async def test_how_it_failed_is_on_record(tmp_path: Path, parts: dict[str, Any], reason: str) -> None:
    ledger = Ledger()
    with pytest.raises((Unavailable, Ambiguous, KeyError)):
        await all_of(recorded(tmp_path, ledger, Elsewhere("moon", **parts)), "ls")
    assert ledger.ends() == [reason]


async def test_one_that_we_end_was_cancelled(tmp_path: Path) -> None:
    ledger = Ledger()
    events = recorded(tmp_path, ledger, Elsewhere("moon")).run(permit(job("ls")))
    await anext(events)
    await events.aclose()
    assert ledger.ends() == ["cancelled"]


async def test_of_one_whose_end_is_not_on_record_a_later_host_agent_says_that_it_is_lost(
    tmp_path: Path,
) -> None:
    await all_of(recorded(tmp_path, Ledger("dispatch_end"), Elsewhere("moon")), "ls")
    (left,) = (tmp_path / "begun").iterdir()

    full, later = Ledger("dispatch_end"), Ledger()
    for ledger in (full, later, later):
        begun = Begun(tmp_path / "begun", ledger.record)
        await begun.tell_of_lost(begun.left())

    assert later.records == [
        ("dispatch_end", {"job": left.name, "backend": "moon", "reason": "lost"}),
    ]


async def test_an_end_that_could_not_be_recorded_is_when_there_is_room_again(tmp_path: Path) -> None:
    ledger = Ledger("dispatch_end")
    backend = recorded(tmp_path, ledger, Elsewhere("moon"))
    await all_of(backend, "ls")
    assert len(list((tmp_path / "begun").iterdir())) == 1
    ledger.refuses = ()
    await all_of(backend, "ls")

    begin, *others = [(event, fields["job"]) for event, fields in ledger.records]
    assert [event for event, _ in (begin, *others)] == [
        "dispatch",
        "dispatch",
        "dispatch_end",
        "dispatch_end",
    ]
    assert others[1] == ("dispatch_end", begin[1])
    assert ledger.ends() == ["exited", "exited"]
    assert not list((tmp_path / "begun").iterdir())


def test_what_cannot_be_kept_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(path: Path, text: str) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", torn)
    with pytest.raises(Exhausted, match="disk is full") as refused:
        Note(tmp_path / "j1").keep(Left(job="j1", backend="moon"))
    assert str(tmp_path) in refused.value.hint
    assert list(tmp_path.iterdir()) == []


async def test_what_fails_elsewhere_says_where_and_what_fails_here_does_not(tmp_path: Path) -> None:
    gone = NotFound("there is no such folder", field="directory")
    away = Unavailable("the link to docker:build broke")
    for ledger, fails, said in (
        (Ledger(), gone, "docker:build: there is no such folder"),
        (Ledger(), away, "the link to docker:build broke"),
        (Ledger("dispatch"), None, "the disk is full"),
    ):
        with pytest.raises(WandError) as refused:
            await all_of(recorded(tmp_path, ledger, Elsewhere("docker:build", fails=fails)), "ls")
        assert refused.value.message == said


async def test_what_could_not_be_ended_is_left_to_later_host_agents_until_it_is_and_told_once(
    tmp_path: Path,
) -> None:
    ledger, elsewhere = Ledger(), Elsewhere("moon")
    first = elsewhere.left = asyncio.get_running_loop().create_future()
    await all_of(recorded(tmp_path, ledger, elsewhere), "ls")
    (job_left,) = (path.name for path in (tmp_path / "begun").iterdir())
    for is_over in (False, False, True):
        elsewhere.left.cancel()
        begun = Begun(tmp_path / "begun", ledger.record)
        assert [(one.job, one.told, one.mark) for one in begun.left()] == [(job_left, True, "")]
        elsewhere.left = asyncio.get_running_loop().create_future()
        await begun.tell_of_lost(begun.left())
        await Recorded(elsewhere, ledger.record, begun).sweep({job_left}, set())
        if is_over:
            elsewhere.left.set_result(None)
            await asyncio.sleep(0)
            assert begun.left() == []

    assert first.cancelled()
    assert ledger.ends() == ["exited"]
    assert elsewhere.swept == {job_left}


async def test_one_that_is_lost_is_told_before_it_is_forgotten_and_swept_until_it_is_over(
    tmp_path: Path,
) -> None:
    full, ledger, elsewhere = Ledger("dispatch_end"), Ledger(), Elsewhere("moon")
    await all_of(recorded(tmp_path, full, elsewhere), "ls")
    for each, told in ((full, False), (ledger, True)):
        elsewhere.left = asyncio.get_running_loop().create_future() if told else None
        begun = Begun(tmp_path / "begun", each.record)
        (left,) = begun.left()
        await begun.tell_of_lost([left])
        await Recorded(elsewhere, each.record, begun).sweep({left.job}, set())
        assert [one.told for one in begun.left()] == [told]
    elsewhere.left = None
    await Recorded(elsewhere, ledger.record, begun).sweep({left.job}, set())

    assert begun.left() == []
    assert ledger.ends() == ["lost"]


async def test_after_a_week_nobody_tries_any_more(tmp_path: Path) -> None:
    begun = Begun(tmp_path / "begun", Ledger().record)
    for job_left, told in (("j1", True), ("j2", False)):
        begun.note(Left(job=job_left, backend="moon", told=told))
        os.utime(tmp_path / "begun" / job_left, (0, time.time() - 8 * 86400))
    assert [one.job for one in begun.left()] == ["j2"]


async def test_what_an_older_host_agent_has_left_is_told_as_lost_there(tmp_path: Path) -> None:
    ledger = Ledger()
    begun = Begun(tmp_path / "begun", ledger.record)
    (tmp_path / "begun" / "j1").write_text("moon:base")
    (tmp_path / "begun" / "j2.new").write_text('{"torn":')
    await begun.tell_of_lost(begun.left())
    assert ledger.records == [("dispatch_end", {"job": "j1", "backend": "moon:base", "reason": "lost"})]


async def test_a_detached_job_that_could_not_be_found_again_is_ended_and_tried_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(note: Note, left: Left) -> None:
        if left.principal:
            raise Unavailable("the disk is full")

    monkeypatch.setattr(Note, "keep", fails)
    ledger, elsewhere = Ledger(), Elsewhere("moon")
    asked = job("ls", detached=True)
    with pytest.raises(Ambiguous, match="had begun on moon, and was ended at once: the disk is full"):
        async for _ in recorded(tmp_path, ledger, elsewhere).run(permit(asked)):
            pass
    assert elsewhere.signals == [(asked.id, signal.SIGKILL)]
    assert ledger.ends() == ["cancelled"]


async def test_a_detached_job_that_can_be_found_again_is_not_told_as_ended_where_we_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, elsewhere = Ledger(), Elsewhere("moon")
    monkeypatch.setattr(elsewhere, "mark_of", lambda job: f"mark of {job}", raising=False)
    asked = job("ls", detached=True)
    async with aclosing(recorded(tmp_path, ledger, elsewhere).run(permit(asked))) as events:
        await anext(events)
    (left,) = Begun(tmp_path / "begun", ledger.record).left()
    assert (left.job, left.mark, left.principal) == (asked.id, f"mark of {asked.id}", "ann")
    assert ledger.ends() == []


async def test_whose_a_job_was_is_kept_and_one_that_is_not_detached_is_not_to_be_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, elsewhere = Ledger("dispatch_end"), Elsewhere("moon")
    monkeypatch.setattr(elsewhere, "mark_of", lambda job: f"mark of {job}", raising=False)
    await all_of(recorded(tmp_path, ledger, elsewhere), "ls")
    (left,) = Begun(tmp_path / "begun", ledger.record).left()
    assert (left.mark, left.principal, left.argv) == ("", "ann", ("ls",))


async def test_a_signal_is_on_record_before_it_is_sent(tmp_path: Path) -> None:
    elsewhere = Elsewhere("moon")
    with pytest.raises(Exhausted):
        await recorded(tmp_path, Ledger("dispatch_signal"), elsewhere).signal("j1", 15)
    assert elsewhere.signals == []
    ledger = Ledger()
    await recorded(tmp_path, ledger, elsewhere).signal("j1", 15)
    assert ledger.records == [("dispatch_signal", {"job": "j1", "backend": "moon", "signal": 15})]
    assert elsewhere.signals == [("j1", 15)]


@pytest.mark.parametrize(("has", "runs"), [(("none", "loopback"), True), ((), False), (("loopback",), False)])
async def test_what_may_reach_nothing_runs_only_where_it_is_held_so(
    tmp_path: Path, has: tuple[str, ...], *, runs: bool
) -> None:
    ledger, elsewhere = Ledger(), Elsewhere("moon")
    elsewhere.networks = frozenset(has)
    asked = replace(permit(job("ls")), network="none")
    events = recorded(tmp_path, ledger, elsewhere).run(asked)
    if runs:
        assert len([event async for event in events]) == 3
        return
    with pytest.raises(Denied, match="cannot hold it"):
        await anext(events)

    assert elsewhere.asked == []
    assert ledger.ends() == ["not_started"]
