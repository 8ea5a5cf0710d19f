"""An approval is for one act to the letter, once and for a while; the administrator gives it."""

import asyncio
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.gates import House, fake_house
from support.people import ANN, BOB, job, shell
from support.waiting import until
from wand_hostagent import approvals
from wand_hostagent.approvals import Approvals, Terms, digest_of, shown
from wand_hostagent.filesystem.model import Mode, Write
from wand_hostagent.model import Event, Job
from wand_hostagent.openacts import OpenActs
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Policy, Question, Rule, Verdict
from wand_proto.context import Caller
from wand_proto.errors import BrokenPolicy, Conflict, Denied, Exhausted, NeedsApproval, NotFound, Unavailable

RULES = (
    Rule(name="anything", verdict=Verdict.ALLOW, programs=("*",), profile="developer"),
    Rule(name="a person pushes", verdict=Verdict.ASK, programs=("true", "echo"), profile="developer"),
    Rule(name="a person writes", verdict=Verdict.ASK, paths=("/srv/work",), profile="developer"),
)
AT_ONCE = Terms(wait_seconds=0)


async def run(house: House, asked: Job, caller: Caller = ANN) -> list[Event]:
    async with asyncio.timeout(60):
        return [event async for event in house.gate.run(caller, asked)]


async def waits(house: House, asked: Job, caller: Caller = ANN) -> str:
    """The id of the approval for which a job waits."""
    with pytest.raises(NeedsApproval) as caught:
        await run(house, asked, caller)
    return caught.value.message.split()[3].rstrip(",")


async def test_a_job_runs_once_when_a_person_has_said_yes() -> None:
    async with fake_house(terms=AT_ONCE) as (launcher, house):
        house.rules.rules = RULES
        name = await waits(house, job("echo", "hi"))
        assert await waits(house, job("echo", "hi")) == name  # asked again, it is the same act
        await house.approvals.answer(name, yes=True, by="0 (root)")
        await run(house, job("echo", "hi"))
        again = await waits(house, job("echo", "hi"))

    assert again != name
    assert [run["why"]["approval"] for run in launcher.runs] == [name]
    assert [(event, told["approval"]) for event, told in launcher.records] == [
        ("approval_asked", name),
        ("approval_given", name),
        ("approval_used", name),
        ("approval_asked", again),
    ]
    assert launcher.records[1][1]["by"] == "0 (root)"


async def test_the_advised_yes_names_the_settings_where_it_must() -> None:
    async with fake_house(terms=Terms(wait_seconds=0, settings=" --settings /a/b.toml")) as (_, house):
        house.rules.rules = RULES
        with pytest.raises(NeedsApproval) as caught:
            await run(house, job("true"))

    assert re.search(r"approve yes \S+ --settings /a/b\.toml$", caught.value.hint)


@pytest.mark.parametrize("broken", ["", "cannot be read"])
async def test_a_yes_is_worth_nothing_under_a_policy_that_was_read_meanwhile(broken: str) -> None:
    async with fake_house(terms=Terms(wait_seconds=20)) as (launcher, house):
        house.rules.rules = RULES
        call = asyncio.create_task(run(house, job("true")))
        await until(lambda: len(launcher.records) == 1)
        no = Rule(name="nobody pushes", verdict=Verdict.DENY, programs=("true",))
        house.rules.rules, house.rules.digest, house.rules.broken = (*RULES, no), "d2", broken
        await house.approvals.answer(launcher.records[0][1]["approval"], yes=True, by="0 (root)")
        with pytest.raises(BrokenPolicy if broken else Denied):
            await call

    assert launcher.runs == []
    assert [event for event, _ in launcher.records][-2:] == ["approval_used", "refused"]


async def test_a_call_that_waits_goes_on_when_a_person_says_yes() -> None:
    async with fake_house(terms=Terms(wait_seconds=20)) as (launcher, house):
        house.rules.rules = RULES
        calls = [asyncio.create_task(run(house, job("true"))) for _ in range(2)]
        await until(lambda: len(launcher.records) == 1)
        (waiting,) = await house.approvals.all()
        await house.approvals.answer(waiting.id, yes=True, by="root")
        ended = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10)

    assert len(launcher.runs) == 1  # two calls, one yes
    assert sorted(type(one).__name__ for one in ended) == ["NeedsApproval", "list"]


async def test_no_is_no() -> None:
    async with fake_house(terms=AT_ONCE) as (launcher, house):
        house.rules.rules = RULES
        name = await waits(house, job("true"))
        await house.approvals.answer(name, yes=False, by="root")
        with pytest.raises(Denied, match="a person said no"):
            await run(house, job("true"))
        with pytest.raises(Conflict, match="refused already"):
            await house.approvals.answer(name, yes=True, by="root")

    assert launcher.runs == []


@pytest.mark.parametrize(
    ("asked", "caller"),
    [
        (job("echo", "b"), ANN),
        (shell("echo a"), ANN),
        (job("echo", "a", directory="/srv"), ANN),
        (job("echo", "a", environment={"A": "b"}), ANN),
        (job("echo", "a", stdin=b"x"), ANN),
        (job("echo", "a", detached=True), ANN),
        (job("echo", "a", profile="developer"), ANN),
        (job("echo", "a"), BOB),
    ],
)
async def test_a_yes_is_for_no_other_act(asked: Job, caller: Caller) -> None:
    async with fake_house(terms=AT_ONCE) as (launcher, house):
        house.rules.rules = RULES
        name = await waits(house, job("echo", "a"))
        await house.approvals.answer(name, yes=True, by="root")

        if asked.profile:  # it names what is meant anyway
            await run(house, asked, caller)
        else:
            assert await waits(house, asked, caller) != name

    assert len(launcher.runs) == bool(asked.profile)


def question(rules: tuple[Rule, ...] = RULES, digest: str = "d1") -> Question:
    asked = decide(Policy(rules=rules, digest=digest), ANN, job("echo", "a"))
    assert isinstance(asked, Question)
    return asked


def test_another_policy_is_another_act() -> None:
    one, other = (digest_of(shown(ANN, question(digest=digest), {})) for digest in ("d1", "d2"))
    assert one != other


async def test_a_yes_for_a_file_is_for_its_content() -> None:
    async with fake_house(terms=AT_ONCE) as (launcher, house):
        house.rules.rules = RULES
        with pytest.raises(NeedsApproval):
            await house.gate.use_file(ANN, "f1", Write(path="/srv/work/a", data=b"one", mode=Mode.REPLACE))
        (waiting,) = await house.approvals.all()
        await house.approvals.answer(waiting.id, yes=True, by="root")
        with pytest.raises(NeedsApproval):
            await house.gate.use_file(ANN, "f2", Write(path="/srv/work/a", data=b"two", mode=Mode.REPLACE))
        await house.gate.use_file(ANN, "f3", Write(path="/srv/work/a", data=b"one", mode=Mode.REPLACE))

    assert [told["act"] for event, told in launcher.records if event == "file"] == ["f3"]


class Clock:
    """A clock that a test turns."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_what_has_expired_is_of_no_use() -> None:
    told: list[tuple[str, Mapping[str, Any]]] = []

    async def record(event: str, fields: Mapping[str, Any]) -> None:
        told.append((event, fields))

    clock = Clock()
    waits_for = Approvals(record, Terms(wait_seconds=0, expire_seconds=60), clock=clock)
    with pytest.raises(NeedsApproval, match="expires at 00:17:40Z"):
        await waits_for.permit(ANN, question(), {})
    (waiting,) = await waits_for.all()
    await waits_for.answer(waiting.id, yes=True, by="root")
    clock.now += 60
    with pytest.raises(NeedsApproval):
        await waits_for.permit(ANN, question(), {})
    with pytest.raises(NotFound):
        await waits_for.answer(waiting.id, yes=True, by="root")

    assert [event for event, _ in told] == [
        "approval_asked",
        "approval_given",
        "approval_expired",
        "approval_asked",
    ]


async def test_nobody_may_wait_for_too_many() -> None:
    async with fake_house(terms=Terms(wait_seconds=0, most_waiting=2)) as (_, house):
        house.rules.rules = RULES
        for word in ("a", "b"):
            await waits(house, job("echo", word))
        with pytest.raises(Exhausted, match="2 acts of ann wait"):
            await run(house, job("echo", "c"))
        await waits(house, job("echo", "c"), BOB)


async def test_a_task_does_not_hold_its_call_and_waits_for_its_turn_where_too_many_wait() -> None:
    its = replace(ANN, task="t1")
    async with fake_house(terms=Terms(wait_seconds=3600, most_waiting=1)) as (_, house):
        house.rules.rules = RULES
        name = await waits(house, job("echo", "a"), its)
        with pytest.raises(NeedsApproval, match="waits for its turn to be asked for: 1 acts of ann"):
            await run(house, job("echo", "b"), its)
        await house.approvals.answer(name, yes=True, by="root")
        await run(house, job("echo", "a"), its)
        assert await waits(house, job("echo", "b"), its) != name


async def test_what_cannot_be_recorded_does_not_count() -> None:
    async with fake_house(terms=AT_ONCE) as (launcher, house):
        house.rules.rules = RULES
        name = await waits(house, job("true"))
        launcher.fails["record"] = Unavailable("no disk")
        with pytest.raises(Unavailable):
            await house.approvals.answer(name, yes=True, by="root")
        del launcher.fails["record"]
        assert await waits(house, job("true")) == name

    assert launcher.runs == []


# -- over a restart of the host agent ---------------------------------------------------------------------


async def nothing(*_: object) -> None:
    """Records nothing."""


def asked_of(keeps: OpenActs, **terms: Any) -> Approvals:
    return Approvals(nothing, Terms(wait_seconds=0, **terms), keeps)


ASKS = Policy(rules=RULES, digest="d1")


async def permitted(waiting: Approvals, policy: Policy = ASKS, asked: Job | None = None) -> str:
    """The approval by which a job is permitted, or for which it waits, with a question mark."""
    question = decide(policy, ANN, asked or job("echo", "hi"))
    assert isinstance(question, Question)
    try:
        return (await waiting.permit(ANN, question, {})).approval
    except NeedsApproval as waits:
        return waits.message.split()[3].rstrip(",") + "?"


async def test_what_waits_and_what_was_given_outlives_the_host_agent_and_is_used_once(tmp_path: Path) -> None:
    keeps = OpenActs(tmp_path / "approvals.json")
    name = (await permitted(asked_of(keeps))).rstrip("?")
    assert (tmp_path / "approvals.json").stat().st_mode & 0o777 == 0o600

    await asked_of(keeps).answer(name, yes=True, by="root")

    assert (await permitted(asked_of(keeps), asked=job("echo", "ho"))) != name
    assert await permitted(asked_of(keeps), Policy(rules=RULES, digest="d2")) != name
    assert await permitted(asked_of(keeps)) == name
    assert await permitted(asked_of(keeps)) not in {name, f"{name}?"}


async def test_a_yes_that_has_expired_meanwhile_is_none(tmp_path: Path) -> None:
    keeps = OpenActs(tmp_path / "approvals.json")
    given = asked_of(keeps, expire_seconds=5)
    name = (await permitted(given)).rstrip("?")
    await given.answer(name, yes=True, by="root")
    later = Approvals(nothing, Terms(wait_seconds=0), keeps, clock=lambda: time.time() + 6)
    assert (await permitted(later)).endswith("?")


@pytest.mark.parametrize("spoil", ["", "[", "{}", "[1]", '[{"id": "x"}]'])
async def test_a_file_that_cannot_be_read_permits_nothing(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "approvals.json"
    path.write_text(spoil)
    path.chmod(0o600)
    assert (await permitted(asked_of(OpenActs(path)))).endswith("?")


@pytest.mark.parametrize("spoil", ["fifo", "link"])
async def test_what_is_no_file_of_ours_permits_nothing(tmp_path: Path, spoil: str) -> None:
    name = (await permitted(asked_of(OpenActs(tmp_path / "kept.json")))).rstrip("?")
    await asked_of(OpenActs(tmp_path / "kept.json")).answer(name, yes=True, by="root")
    path = tmp_path / "approvals.json"
    os.mkfifo(path, 0o600) if spoil == "fifo" else path.symlink_to(tmp_path / "kept.json")
    assert (await permitted(asked_of(OpenActs(path)))).endswith("?")


async def test_of_too_many_the_oldest_go_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "MOST_KEPT", 2)
    keeps = OpenActs(tmp_path / "approvals.json")
    every = asked_of(keeps)
    names = [(await permitted(every, asked=job("echo", word))).rstrip("?") for word in "abc"]
    assert [one.id for one in await every.all()] == names[1:]
    assert [one.id for one in await asked_of(keeps).all()] == names[1:]


@pytest.mark.parametrize("what", ["digest", "shows", "mode"])
async def test_a_file_that_somebody_else_could_have_changed_permits_nothing(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "approvals.json"
    name = (await permitted(asked_of(OpenActs(path)))).rstrip("?")
    await asked_of(OpenActs(path)).answer(name, yes=True, by="root")
    (one,) = json.loads(path.read_text())
    changed: dict[str, dict[str, Any]] = {
        "digest": {"digest": "0" * 64},
        "shows": {"shows": {**one["shows"], "argv": ["echo", "ho"]}},
    }
    path.write_text(json.dumps([{**one, **changed.get(what, {})}]))
    path.chmod(0o620 if what == "mode" else 0o600)
    for asked in (job("echo", "hi"), job("echo", "ho")):
        assert (await permitted(asked_of(OpenActs(path)), asked=asked)).endswith("?")


async def test_a_yes_that_the_disk_does_not_take_is_not_used(tmp_path: Path) -> None:
    keeps = OpenActs(tmp_path / "kept" / "approvals.json")
    (tmp_path / "kept").mkdir()
    every = asked_of(keeps)
    name = (await permitted(every)).rstrip("?")
    await every.answer(name, yes=True, by="root")
    (tmp_path / "kept").rename(tmp_path / "away")
    with pytest.raises(Unavailable, match="cannot be written"):
        await permitted(every)
