"""Nothing happens that the policy does not permit, and nothing unrecorded."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from support.gates import fake_house
from support.people import ANN, BOB, job, shell
from support.waiting import until
from wand_hostagent.approvals import Terms
from wand_hostagent.filesystem.model import Edit, Mode, Read, ReadAnswer, Replacement, Search, Write
from wand_hostagent.model import Event, Exited, Input, Output, Reason, Started
from wand_hostagent.policy.model import Permit, Refusal, Rule, Verdict
from wand_proto.errors import BrokenPolicy, Conflict, Denied, Invalid, NeedsApproval, NotFound, Unavailable


async def all_of(events: AsyncIterator[Event]) -> list[Event]:
    async with asyncio.timeout(60):
        return [event async for event in events]


# -- jobs --------------------------------------------------------------------------------------------------


async def test_a_permitted_job_runs_under_the_rule_that_permits_it() -> None:
    async with fake_house() as (launcher, house):
        events = await all_of(house.gate.run(ANN, job("echo", "hi")))

    assert [type(event) for event in events] == [Started, Output, Exited]
    assert isinstance(events[0], Started)
    assert (events[0].rule, events[0].profile) == ("anything", "developer")
    assert launcher.runs[0]["why"]["policy"] == "d1"
    assert launcher.records == []


async def test_a_refused_job_is_recorded_and_never_runs() -> None:
    async with fake_house() as (launcher, house):
        asked = job("rm", "-rf", "x" * 5000)
        with pytest.raises(Denied, match="rm is denied by the rule 'no rm'") as caught:
            await all_of(house.gate.run(ANN, asked))

    ((event, told),) = launcher.records
    assert (event, told["principal"], told["job"], told["rule"]) == ("refused", "ann", asked.id, "no rm")
    assert told["policy"] == "d1"
    assert told["message"].startswith("rm is denied")
    assert told["argv"] == ["rm", "-rf", "x" * 1024]
    assert len(told["argv_sha256"]) == 64
    assert caught.value.hint == "move it to the trash"
    assert launcher.runs == []


async def test_a_refusal_that_cannot_be_recorded_tells_nothing_of_the_policy() -> None:
    async with fake_house() as (launcher, house):
        launcher.die()
        await until(lambda: not house.link.is_up)
        with pytest.raises(Unavailable):
            await all_of(house.gate.run(ANN, job("rm")))


async def test_a_broken_policy_denies_everything_and_is_recorded() -> None:
    async with fake_house() as (launcher, house):
        house.rules.broken = "base.toml:3 is wrong"
        with pytest.raises(BrokenPolicy, match=r"base\.toml:3"):
            await all_of(house.gate.run(ANN, job("ls")))
        with pytest.raises(BrokenPolicy):
            await house.gate.use_file(ANN, "f1", Read(path="/srv/work/a"))
        with pytest.raises(BrokenPolicy):
            house.gate.explain(ANN, job("ls"))
        assert house.gate.policy_digest == ""

    assert [told["message"] for _, told in launcher.records] == ["base.toml:3 is wrong"] * 2
    assert {(told["rule"], told["policy"]) for _, told in launcher.records} == {("", "")}
    assert launcher.runs == []
    assert house.files.asked == []


async def test_an_unknown_backend_is_invalid_and_names_those_that_there_are() -> None:
    async with fake_house() as (_, house):
        with pytest.raises(Invalid, match="there are: native") as caught:
            await all_of(house.gate.run(ANN, job("ls", backend="moon")))

    assert caught.value.field == "backend"


async def test_closing_a_run_kills_the_job_and_keeps_what_it_wrote() -> None:
    async with fake_house() as (launcher, house):
        asked = shell("echo out; sleep 60")
        async with aclosing(house.gate.run(ANN, asked)) as events:
            await anext(events)
            await anext(events)
        ended = await house.gate.wait(ANN, asked.id)
        part = await house.gate.read_output(ANN, asked.id, "stdout", 0, 100)
        await until(lambda: not launcher.jobs)

    assert ended.reason is Reason.CANCELLED
    assert (part.data, part.total_bytes, part.running) == (b"out\n", 4, False)


async def test_a_cancelled_task_kills_its_job() -> None:
    async with fake_house() as (launcher, house):
        asked = shell("echo out; sleep 60")
        running = asyncio.create_task(all_of(house.gate.run(ANN, asked)))
        await until(lambda: house.jobs.running and launcher.jobs)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await until(lambda: not launcher.jobs)

        assert house.jobs.running == 0


async def test_a_job_is_seen_by_the_principal_alone_who_started_it() -> None:
    async with fake_house() as (_, house):
        asked = job("echo", "hi")
        await all_of(house.gate.run(ANN, asked))
        (summary,) = house.gate.list_jobs(ANN)
        part = await house.gate.read_output(ANN, asked.id, "stdout", 1, 100)
        attached = await all_of(house.gate.attach(ANN, asked.id, 1, 0))
        theirs: list[Any] = [
            house.gate.read_output(BOB, asked.id, "stdout", 0, 100),
            house.gate.wait(BOB, asked.id),
            house.gate.signal(BOB, asked.id, signal.SIGTERM),
            all_of(house.gate.attach(BOB, asked.id, 0, 0)),
        ]
        for asking in theirs:
            with pytest.raises(NotFound):
                await asking

    assert (summary.job, summary.argv, summary.running) == (asked.id, ("echo", "hi"), False)
    assert (part.data, part.offset, part.total_bytes) == (b"i\n", 1, 3)
    assert [event.data for event in attached if isinstance(event, Output)] == [b"i\n"]
    assert house.gate.list_jobs(BOB) == ()


async def test_a_signal_reaches_a_running_job_and_says_whether_it_ran() -> None:
    async with fake_house() as (_, house):
        asked = job("sleep", "60")
        running = asyncio.create_task(all_of(house.gate.run(ANN, asked)))
        await until(lambda: house.jobs.running and house.jobs.of("ann", asked.id).started)
        first = await house.gate.signal(ANN, asked.id, signal.SIGTERM)
        events = await running
        second = await house.gate.signal(ANN, asked.id, signal.SIGTERM)

    assert (first, second) == (True, False)
    assert isinstance(events[-1], Exited)
    assert (events[-1].reason, events[-1].signal) == (Reason.SIGNALED, signal.SIGTERM)


async def test_explaining_records_nothing_and_runs_nothing() -> None:
    async with fake_house() as (launcher, house):
        assert isinstance(house.gate.explain(ANN, job("ls")), Permit)
        assert isinstance(house.gate.explain(ANN, job("rm")), Refusal)
        assert launcher.asked == ["jobs"]


# -- files -------------------------------------------------------------------------------------------------


async def test_reading_a_permitted_file_asks_the_worker_of_the_profile() -> None:
    async with fake_house() as (launcher, house):
        house.files.contents["/srv/work/a"] = b"text"
        answer = await house.gate.use_file(ANN, "f1", Read(path="/srv/work/x/../a"))

    assert isinstance(answer, ReadAnswer)
    assert answer.data == b"text"
    assert house.files.asked == [("developer", Read(path="/srv/work/a"))]
    assert launcher.records == []


@pytest.mark.parametrize(
    ("path", "resolved"), [("", "/srv/work"), ("a/../b", "/srv/work/b"), (".", "/srv/work")]
)
async def test_a_relative_path_begins_at_the_workspace(path: str, resolved: str) -> None:
    async with fake_house() as (launcher, house):
        launcher.workspace = "/srv/work"
        house.files.contents[resolved] = b""
        await house.gate.use_file(ANN, "f1", Read(path=path))

    assert house.files.asked[0][1].path == resolved


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/srv/work/../../etc/passwd", "/srv/work/secrets/key", "../x"]
)
async def test_a_refused_file_is_recorded_and_never_opened(path: str) -> None:
    async with fake_house() as (launcher, house):
        launcher.workspace = "/srv/work"
        with pytest.raises(Denied):
            await house.gate.use_file(ANN, "f1", Read(path=path))

    ((event, told),) = launcher.records
    assert (event, told["verb"], told["act"]) == ("refused", "read", "f1")
    assert house.files.asked == []


async def test_a_path_with_a_nul_is_invalid() -> None:
    async with fake_house() as (_, house):
        with pytest.raises(Invalid) as caught:
            await house.gate.use_file(ANN, "f1", Read(path="/srv/work/a\0b"))

    assert caught.value.field == "path"


async def test_a_relative_path_without_a_workspace_is_invalid_and_says_why() -> None:
    async with fake_house() as (launcher, house):
        launcher.default = "other"
        with pytest.raises(Invalid, match="there is no profile 'developer'") as caught:
            await house.gate.use_file(ANN, "f1", Read(path="a"))

    assert caught.value.field == "path"
    assert "there are: other" in caught.value.hint


async def test_a_link_to_a_denied_place_is_refused_before_its_content_leaves() -> None:
    async with fake_house() as (launcher, house):
        house.files.links["/srv/work/a"] = "/srv/work/secrets/key"
        house.files.contents["/srv/work/secrets/key"] = b"secret"
        with pytest.raises(Denied, match="secrets"):
            await house.gate.use_file(ANN, "f1", Read(path="/srv/work/a"))

    assert launcher.records[0][0] == "refused"


async def test_a_search_that_would_show_a_denied_folder_is_refused() -> None:
    async with fake_house() as (_, house):
        with pytest.raises(Denied):
            await house.gate.use_file(ANN, "f1", Search(path="/srv/work", pattern="key"))


async def test_a_change_is_on_record_before_it_is_made_and_its_outcome_after() -> None:
    async with fake_house() as (launcher, house):
        ask = Write(path="/srv/work/a", data=b"new", mode=Mode.REPLACE)
        await house.gate.use_file(ANN, "f1", ask)

    (before, first), (after, second) = launcher.records
    assert (before, after) == ("file", "file_end")
    assert (first["act"], first["path"], first["bytes"], first["rule"]) == ("f1", "/srv/work/a", 3, "files")
    assert (first["verb"], first["profile"], first["policy"]) == ("write", "developer", "d1")
    assert "approval" not in first
    assert b"new" not in repr(first).encode()
    assert (second["act"], second["ok"], second["sha256"], second["created"]) == ("f1", True, "abc", True)


async def test_a_change_that_cannot_be_recorded_is_not_made() -> None:
    async with fake_house() as (launcher, house):
        launcher.fails["record"] = Unavailable("the disk is full")
        with pytest.raises(Unavailable, match="disk is full"):
            await house.gate.use_file(ANN, "f1", Edit(path="/srv/work/a", replacements=()))

    assert house.files.asked == []


async def test_a_change_that_fails_says_so_in_its_outcome() -> None:
    async with fake_house() as (launcher, house):
        house.files.fails = Conflict("it has changed", field="expected_sha256")
        edit = Edit(path="/srv/work/a", replacements=(Replacement(old_text="a", new_text="b"),))
        with pytest.raises(Conflict):
            await house.gate.use_file(ANN, "f1", edit)

    assert launcher.records[1][1]["ok"] is False
    assert launcher.records[1][1]["kind"] == "Conflict"


async def test_a_change_whose_caller_goes_away_is_finished_and_recorded() -> None:
    async with fake_house() as (launcher, house):
        ask = Write(path="/srv/work/a", data=b"new", mode=Mode.REPLACE)
        changing = asyncio.create_task(house.gate.use_file(ANN, "f1", ask))
        await until(lambda: launcher.records)
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        await until(lambda: len(launcher.records) == 2)

    assert launcher.records[1][1]["ok"] is True


async def test_a_change_whose_caller_has_gone_is_awaited_when_the_host_agent_stops() -> None:
    async with fake_house() as (launcher, house):
        ask = Write(path="/srv/work/a", data=b"new", mode=Mode.REPLACE)
        changing = asyncio.create_task(house.gate.use_file(ANN, "f1", ask))
        await until(lambda: launcher.records)
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)

        await house.gate.finish()

        assert [event for event, _ in launcher.records] == ["file", "file_end"]


async def test_the_profiles_are_the_launchers() -> None:
    async with fake_house() as (_, house):
        assert (await house.gate.profiles()).default == "developer"
        assert house.gate.policy_digest == "d1"


async def test_a_change_is_made_at_the_permitted_path_and_nowhere_else() -> None:
    async with fake_house() as (_, house):
        await house.gate.use_file(ANN, "f1", Write(path="/srv/work/x/../a", data=b"", mode=Mode.REPLACE))

    assert [ask.at for _, ask in house.files.asked if isinstance(ask, Write)] == [("/srv/work/a",)]


async def test_a_change_that_a_person_approved_says_by_which_yes() -> None:
    async with fake_house(terms=Terms(wait_seconds=0)) as (launcher, house):
        house.rules.rules = (
            Rule(name="ask", verdict=Verdict.ASK, paths=("/srv/work",), profile="developer"),
        )
        ask = Write(path="/srv/work/a", data=b"", mode=Mode.REPLACE)
        with pytest.raises(NeedsApproval):
            await house.gate.use_file(ANN, "f1", ask)
        (waiting,) = await house.approvals.all()
        await house.approvals.answer(waiting.id, yes=True, by="root")
        await house.gate.use_file(ANN, "f2", ask)

    told = next(told for event, told in launcher.records if event == "file")
    assert told["approval"] == waiting.id


async def test_what_fails_for_a_caller_who_is_gone_is_kept_to_its_end_and_disturbs_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = asyncio.Event()

    async def use(*_: object, **__: object) -> None:
        await may_end.wait()
        raise Conflict("it has changed", field="path")

    async with fake_house() as (launcher, house):
        monkeypatch.setattr(house.files, "use", use)
        ask = Write(path="/srv/work/a", data=b"", mode=Mode.REPLACE)
        changing = asyncio.create_task(house.gate.use_file(ANN, "f1", ask))
        await until(lambda: launcher.records)
        assert len(house.gate._file_use._changes) == 1  # or nothing would keep it from being collected
        changing.cancel()
        await asyncio.wait([changing])
        may_end.set()
        await until(lambda: len(launcher.records) == 2)
        await until(lambda: not house.gate._file_use._changes)
        gc.collect()
    assert "never retrieved" not in caplog.text


async def test_what_the_server_tells_is_on_record_as_the_servers() -> None:
    async with fake_house() as (launcher, house):
        house.gate.sign_in_refused(ANN, {"why": "no key"})
        await house.gate.config_changed(ANN, {"digest": "d2"})
        await until(lambda: launcher.notes)

    assert launcher.notes == [("sign_in_refused", {"by": "server", "uri": ANN.peer, "why": "no key"})]
    assert launcher.records == [("config", {"of": "server", "uri": ANN.peer, "digest": "d2"})]


async def test_who_is_no_auditor_is_refused_on_record() -> None:
    async with fake_house() as (launcher, house):
        with pytest.raises(Denied, match="'auditors'"):
            await house.gate.audit(ANN)

    ((event, told),) = launcher.records
    assert (event, told["principal"], told["rule"]) == ("refused", "ann", "")
    assert told["message"] == "only the group 'auditors' may read the ledger"


async def test_a_relative_path_is_denied_where_the_policy_is_broken() -> None:
    async with fake_house() as (launcher, house):
        house.rules.broken = "it is"
        with pytest.raises(BrokenPolicy):
            await house.gate.use_file(ANN, "f1", Read(path="x/../a"))

    assert launcher.records[0][1]["path"] == "/a"


async def test_a_job_without_input_takes_none_and_says_which() -> None:
    async with fake_house() as (_, house):
        asked = job("sleep", "60")
        running = asyncio.create_task(all_of(house.gate.run(ANN, asked)))
        await until(lambda: house.jobs.running and house.jobs.of("ann", asked.id).started)
        with pytest.raises(Conflict, match="no open input") as caught:
            await house.gate.feed(ANN, asked.id, Input(data=b"x"))
        await house.gate.signal(ANN, asked.id, signal.SIGKILL)
        await running

    assert caught.value.field == "job"
