"""Where a job runs: by name, by labels, by policy, by default; and what happens where that is not up."""

import asyncio
from typing import Any

import pytest

from support.elsewhere import Elsewhere, told
from support.gates import House, fake_house
from support.people import ANN, job
from support.rules import allow, deny
from wand_hostagent.backends.base import Health
from wand_hostagent.choosing import Backends
from wand_hostagent.model import Started
from wand_hostagent.policy.model import Permit, Refusal
from wand_hostagent.switching import Switch
from wand_proto.context import Caller
from wand_proto.errors import Ambiguous, BrokenPolicy, Denied, Invalid, NotFound, Unavailable, WandError

DOWN = Unavailable("nobody answers")
ADMINISTRATOR = Caller(principal="root", request_id="r", groups=("administrators",))


def several() -> list[Elsewhere]:
    return [
        Elsewhere("native", {"os": "debian"}),
        Elsewhere("docker:build", {"os": "alpine", "role": "build"}),
        Elsewhere("ssh:web1", {"os": "debian", "role": "web"}),
        Elsewhere("ssh:web2", {"os": "debian", "role": "web"}),
    ]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("native", "native"),
        ("ssh:web2", "ssh:web2"),
        ("ssh", "ssh:web1 ssh:web2"),
        ("docker", "docker:build"),
        ("role=web", "ssh:web1 ssh:web2"),
        ("os=debian", "native ssh:web1 ssh:web2"),
        ("os=debian,role=web", "ssh:web1 ssh:web2"),
        ("os=alpine", "docker:build"),
    ],
)
def test_a_name_or_labels_mean_these(asked: str, meant: str) -> None:
    assert [one.name for one in Backends(several()).meant(asked)] == meant.split()


@pytest.mark.parametrize("asked", ["moon", "docker:moon", "ss", "os=beos", "os=debian,", "=", "ssh:", "role"])
def test_what_means_nothing_is_refused_with_what_there_is(asked: str) -> None:
    with pytest.raises(Invalid) as refused:
        Backends(several()).meant(asked)
    assert refused.value.field == "backend"
    there_are = "docker:build (os=alpine, role=build)"
    assert there_are in refused.value.message or "is no label" in refused.value.message


def test_a_default_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match="moon"):
        Backends(several(), default="moon")


def test_of_several_the_least_busy_is_tried_first_and_what_is_down_last() -> None:
    busy = {"ssh:web1": 3, "ssh:web2": 1}
    backends = Backends(several(), running=lambda name: busy.get(name, 0))

    assert [one.name for one in backends.best_first("ssh")] == ["ssh:web2", "ssh:web1"]
    backends.could_not_reach(backends.all["ssh:web2"])
    assert [one.name for one in backends.best_first("ssh")] == ["ssh:web1", "ssh:web2"]


def test_by_turns_each_of_several_comes_first() -> None:
    backends = Backends(several(), balance="round_robin", running=len)
    firsts = [backends.best_first("os=debian")[0].name for _ in range(4)]
    assert firsts == ["native", "ssh:web1", "ssh:web2", "native"]


# -- through the gate --------------------------------------------------------------------------------------

ANYWHERE = (
    allow("anywhere", programs=("ls",), backends=("native", "docker", "ssh:web*")),
    allow("boxed", programs=("npm",), backend="docker:build"),
    allow("here", programs=("git",)),
    deny("nowhere", programs=("rm",)),
)


async def where(house: House, *argv: str, **parts: Any) -> str:
    """The backend on which it ran."""
    async with asyncio.timeout(60):
        events = [event async for event in house.gate.run(ANN, job(*argv, **parts))]
    assert isinstance(events[0], Started)
    return events[0].backend


@pytest.mark.parametrize(
    ("argv", "backend", "ran"),
    [
        ("ls", "", "native"),
        ("ls", "docker", "docker:build"),
        ("ls", "role=build", "docker:build"),
        ("npm", "", "docker:build"),  # the rule says where
        ("npm", "docker:build", "docker:build"),
        ("git", "", "native"),
        ("git", "native", "native"),
    ],
)
async def test_a_job_runs_where_it_or_the_policy_says(argv: str, backend: str, ran: str) -> None:
    async with fake_house(others=several()[1:]) as (launcher, house):
        house.rules.rules = ANYWHERE
        assert await where(house, argv, backend=backend) == ran
        assert len(launcher.runs) == (ran == "native")


@pytest.mark.parametrize(
    ("argv", "backend"),
    [
        ("git", "docker"),  # what is allowed in the box of a profile is not thereby allowed elsewhere
        ("git", "ssh:web1"),
        ("npm", "native"),
        ("npm", "ssh"),
        ("rm", "docker"),  # what is denied is denied everywhere
        ("rm", "role=web"),
    ],
)
async def test_a_job_does_not_run_where_no_rule_lets_it(argv: str, backend: str) -> None:
    async with fake_house(others=several()[1:]) as (launcher, house):
        house.rules.rules = ANYWHERE
        with pytest.raises(Denied) as refused:
            await where(house, argv, backend=backend)
    assert refused.value.hint
    assert [event for event, _ in launcher.records] == ["refused"]


async def test_of_labels_those_are_taken_that_the_policy_permits() -> None:
    async with fake_house(others=several()[1:]) as (_, house):
        house.rules.rules = (allow("second", programs=("ls",), backends=("ssh:web2",)),)
        for _ in range(3):
            assert await where(house, "ls", backend="role=web") == "ssh:web2"


@pytest.mark.parametrize("backend", ["", "native", "os=debian", "os=debian,role=here"])
async def test_a_rule_on_native_speaks_of_it_however_it_was_chosen(backend: str) -> None:
    async with fake_house() as (launcher, house):
        vars(house.gate._backends.all["native"])["labels"] = {"os": "debian", "role": "here"}
        house.rules.rules = (
            allow("anything", programs=("*",), backends=("*",)),
            deny("not here", programs=("ls",), backends=("native",)),
        )
        assert await where(house, "git", backend=backend) == "native"
        with pytest.raises(Denied):
            await where(house, "ls", backend=backend)
        assert isinstance(house.gate.explain(ANN, job("ls", backend=backend)), Refusal)
        assert len(launcher.runs) == 1


@pytest.mark.parametrize(
    ("argv", "backend", "permitted"),
    [("npm", "", True), ("npm", "native", False), ("ls", "role=web", True), ("git", "ssh", False)],
)
async def test_explaining_judges_the_backend_on_which_it_would_run(
    argv: str, backend: str, *, permitted: bool
) -> None:
    async with fake_house(others=several()[1:]) as (_, house):
        house.rules.rules = ANYWHERE
        assert isinstance(house.gate.explain(ANN, job(argv, backend=backend)), Permit) == permitted
        with pytest.raises(Invalid, match="moon"):
            house.gate.explain(ANN, job(argv, backend="moon"))


@pytest.mark.parametrize(
    "away", [DOWN, NotFound("No such image", field="backend"), Denied("another key", field="backend")]
)
async def test_where_one_cannot_be_reached_the_next_one_is_tried(away: WandError) -> None:
    others = several()[1:]
    others[1].fails = away
    async with fake_house(others=others) as (_, house):
        house.rules.rules = ANYWHERE
        assert await where(house, "ls", backend="ssh") == "ssh:web2"
        assert await where(house, "ls", backend="ssh") == "ssh:web2"
        assert len(others[1].asked) == 1, "what was down a moment ago is tried last"
        others[2].fails = DOWN
        with pytest.raises((Unavailable, NotFound, Denied)):
            await where(house, "ls", backend="ssh")


@pytest.mark.parametrize(
    "parts",
    [
        {"fails": Ambiguous("broke")},
        {"fails_after_start": DOWN},
        {"fails": NotFound("no such program", field="argv")},
        {"fails": Denied("A may not be set there", field="environment")},
    ],
)
async def test_what_may_have_been_started_is_not_tried_again(parts: dict[str, Any]) -> None:
    others = several()[1:]
    for name, value in parts.items():
        setattr(others[1], name, value)
    async with fake_house(others=others) as (_, house):
        house.rules.rules = ANYWHERE
        with pytest.raises((Ambiguous, Unavailable, NotFound, Denied)):
            await where(house, "ls", backend="ssh")
    assert others[2].asked == []


async def test_a_broken_policy_denies_on_every_backend() -> None:
    async with fake_house(others=several()[1:]) as (_, house):
        house.rules.broken = "line 3"
        for backend in ("", "ssh", "docker"):
            with pytest.raises(BrokenPolicy):
                await where(house, "ls", backend=backend)


# -- switching ---------------------------------------------------------------------------------------------


async def test_an_administrator_switches_the_default_and_that_is_on_record_first() -> None:
    async with fake_house(others=several()[1:]) as (launcher, house):
        house.rules.rules = ANYWHERE
        switch = Switch(house.rules, house.link, house.gate._backends)
        await switch.for_caller(ADMINISTRATOR, "docker:build")
        assert await where(house, "ls") == "docker:build"
        await switch.to("native", "root")
        assert await where(house, "ls") == "native"

    assert [fields["changed"] for fields in told(launcher.records, "config")] == [
        ["default_backend: native -> docker:build"],
        ["default_backend: docker:build -> native"],
    ]


async def test_who_is_no_administrator_switches_nothing_and_that_is_on_record() -> None:
    async with fake_house(others=several()[1:]) as (launcher, house):
        switch = Switch(house.rules, house.link, house.gate._backends)
        with pytest.raises(Denied, match="administrators"):
            await switch.for_caller(ANN, "docker:build")
        with pytest.raises(Invalid, match="moon"):
            await switch.for_caller(ADMINISTRATOR, "moon")
        launcher.fails["record"] = Unavailable("full")
        with pytest.raises(Unavailable):
            await switch.for_caller(ADMINISTRATOR, "docker:build")
        assert house.gate._backends.default == "native"
    assert [event for event, _ in launcher.records] == ["refused"]


async def test_every_backend_is_reported_with_its_labels_and_health(monkeypatch: pytest.MonkeyPatch) -> None:
    others = several()[1:]
    others[0].health_is = Health(up=False, detail="dockerd does not answer")

    async def never() -> Health:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(others[1], "health", never)
    monkeypatch.setattr("wand_hostagent.switching.HEALTH_SECONDS", 0.01)
    async with fake_house(others=others) as (_, house):
        switch = Switch(house.rules, house.link, house.gate._backends)
        native, docker, web1, web2 = await switch.report()

    assert (native.up, native.is_default, native.detail) == (True, True, "the launcher answers")
    assert (docker.up, docker.detail, docker.labels["os"]) == (False, "dockerd does not answer", "alpine")
    assert (web1.up, web1.detail) == (False, "no answer within 0.01 s")
    assert (web2.up, web2.is_default) == (True, False)


async def test_a_backend_whose_health_breaks_is_down_and_the_others_are_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = several()[1:]

    async def breaks() -> Health:
        raise KeyError("somebody else's defect")

    monkeypatch.setattr(others[0], "health", breaks)
    async with fake_house(others=others) as (_, house):
        switch = Switch(house.rules, house.link, house.gate._backends)
        told = {one.name: (one.up, one.detail) for one in await switch.report()}
    assert told["docker:build"] == (False, 'KeyError: "somebody else\'s defect"')
    assert told["ssh:web1"][0]


async def test_who_asks_often_does_not_wait_for_who_is_away_and_hears_of_a_switch() -> None:
    async with fake_house(others=several()[1:]) as (_, house):
        switch = Switch(house.rules, house.link, house.gate._backends)
        first = await switch.lately()
        await switch.to("docker:build", "root")
        second = await switch.lately()

    assert [one.name for one in first if one.is_default] == ["native"]
    assert [one.name for one in second if one.is_default] == ["docker:build"]
