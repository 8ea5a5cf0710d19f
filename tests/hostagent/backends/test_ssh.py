"""Hosts by SSH, on real sshds: who is believed, who is let in, which way, and what a broken link means."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.calls import processes
from support.people import job, permit, shell
from support.places import short_folder
from support.sshd import SSHD, USER, Sshd, keygen, known, sshds
from support.waiting import until
from wand_hostagent.backends.base import ExecutionBackend, ExecutionResult, Surroundings, whole
from wand_hostagent.backends.ssh.hosts import SshHost, SshSettings
from wand_hostagent.backends.ssh.kind import Remote, Ssh
from wand_hostagent.model import Exited, Job, Limits, Reason, Started
from wand_proto.errors import Ambiguous, Denied, Invalid, Unavailable

pytestmark = [
    pytest.mark.timeout(200),
    pytest.mark.skipif(SSHD is None, reason="there is no sshd: apt-get install openssh-server"),
]
PATIENT = 60.0


def host(one: Sshd, **parts: Any) -> SshHost:
    keys = one.folder.parent / "key"
    return SshHost(**{"address": one.address, "port": one.port, "user": USER, "keys": (keys,), **parts})


@asynccontextmanager
async def backends(
    folder: Path, hosts: Mapping[str, SshHost], **parts: Any
) -> AsyncIterator[list[ExecutionBackend]]:
    settings = SshSettings(known_hosts=folder / "known", hosts=dict(hosts), connect_seconds=PATIENT, **parts)
    async with Ssh().open(settings, Surroundings(name="ssh", folder=folder)) as found:
        yield list(found)


async def ran(backend: ExecutionBackend, job: Job) -> ExecutionResult:
    return await whole(backend, permit(job, limits=Limits(wall_seconds=120)))


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Sshd]]:
    with short_folder() as folder, sshds(folder, ("127.0.0.3", "127.0.0.4")) as both:
        yield both


async def test_a_host_is_reached_by_another_and_links_are_used_again(pair: list[Sshd]) -> None:
    first, second = pair
    folder = first.folder.parent
    hosts = {"far": host(second, jump="near"), "near": host(first)}
    async with backends(folder, hosts) as (far, _):
        told = [(await ran(far, shell("echo $SSH_CONNECTION"))).stdout.split() for _ in range(3)]

    assert {words[2] for words in told} == {b"127.0.0.4"}
    assert len({words[1] for words in told}) == 1, "one link, three commands"


async def test_a_command_starts_in_a_folder_whose_name_is_not_utf8(pair: list[Sshd], tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102 - bytes, which Path does not take
    async with backends(pair[0].folder.parent, {"one": host(pair[0])}) as (one,):
        done = await ran(one, job("pwd", directory=os.fsdecode(folder)))

    assert done.stdout == folder + b"\n"


async def test_more_at_once_than_a_link_carries_are_given_another_one(pair: list[Sshd]) -> None:
    async with backends(pair[0].folder.parent, {"one": host(pair[0], sessions=3)}) as (one,):
        every = [ran(one, shell(f"read x; echo {n} $SSH_CONNECTION", stdin=b"x\n")) for n in range(7)]
        told = [done.stdout.split() for done in await asyncio.gather(*every)]

    assert [int(words[0]) for words in told] == list(range(7))
    assert 1 < len({words[2] for words in told}) <= 7


@pytest.mark.parametrize("known_as", ["nobody", "another"])
async def test_a_host_whose_key_is_not_the_known_one_is_refused(pair: list[Sshd], known_as: str) -> None:
    with short_folder() as folder:
        keygen(folder / "other")
        other = (folder / "other.pub").read_text().rsplit(" ", 1)[0]
        line = known(pair[0]).replace(pair[0].host_key, other) if known_as == "another" else known(pair[1])
        (folder / "known").write_text(line)
        async with backends(folder, {"one": host(pair[0])}) as (one,):
            assert not (await one.health()).up
            with pytest.raises(Denied, match="not the one that is known") as refused:
                await ran(one, shell("true"))
    assert "known" in refused.value.hint
    assert refused.value.field == "backend", "another host may take it"


async def test_who_is_not_let_in_is_told_so_and_by_which_user(pair: list[Sshd]) -> None:
    with short_folder() as folder:
        keygen(folder / "stranger")
        (folder / "known").write_text(known(pair[0]))
        async with backends(folder, {"one": host(pair[0], keys=(folder / "stranger",))}) as (one,):
            with pytest.raises(Denied, match=f"does not let {USER} in"):
                await ran(one, shell("true"))


async def test_a_certificate_or_an_agent_lets_in_too(pair: list[Sshd]) -> None:
    with short_folder() as folder:
        for name in ("ca", "mine"):
            keygen(folder / name)
        signs = [
            "ssh-keygen",
            "-q",
            "-s",
            str(folder / "ca"),
            "-I",
            "me",
            "-n",
            USER,
            str(folder / "mine.pub"),
        ]
        await asyncio.to_thread(subprocess.run, signs, check=True)
        trusts = [f"TrustedUserCAKeys {folder / 'ca.pub'}"]
        with short_folder() as home, sshds(home, ("127.0.0.5",), options0=trusts) as (one,):
            by_certificate = host(one, keys=(folder / "mine",), certificates=(folder / "mine-cert.pub",))
            with agent(folder / "agent", home / "key"):
                by_agent = host(one, keys=(), agent=folder / "agent")
                async with backends(home, {"a": by_certificate, "b": by_agent}) as every:
                    for backend in every:
                        assert (await ran(backend, shell("echo in"))).stdout == b"in\n"


async def test_of_a_host_with_an_agent_alone_only_the_agents_keys_are_offered(
    pair: list[Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = pair[0].folder.parent
    with short_folder() as folder:
        (folder / ".ssh").mkdir()
        (folder / ".ssh" / "id_ed25519").write_bytes((home / "key").read_bytes())
        (folder / ".ssh" / "id_ed25519").chmod(0o600)
        monkeypatch.setenv("HOME", str(folder))
        keygen(folder / "stranger")
        one = host(pair[0], keys=(), agent=folder / "agent")
        for key, words in ((None, "has no keys"), (folder / "stranger", "does not let")):
            with agent(folder / "agent", key):
                async with backends(home, {"one": one}) as (backend,):
                    with pytest.raises(Denied, match=words):
                        await ran(backend, shell("true"))


async def test_a_link_that_breaks_while_several_commands_are_asked_for_breaks_for_each_of_them() -> None:
    with short_folder() as folder, sshds(folder, ("127.0.0.10",)) as (one,):
        async with backends(folder, {"one": host(one)}) as (backend,):
            await ran(backend, shell("true"))
            assert isinstance(backend, Remote)
            one.stop()  # it answers nothing, and is then gone
            asking = [asyncio.create_task(ran(backend, shell("true"))) for _ in range(3)]
            await until(lambda: sum(backend._link._used.values()) == 3)
            one.kill()
            told = await asyncio.gather(*asking, return_exceptions=True)
            one.start()
            assert {type(each) for each in told} <= {Ambiguous, Unavailable}
            assert (await ran(backend, shell("echo back"))).stdout == b"back\n"


@contextmanager
def agent(path: Path, key: Path | None) -> Iterator[None]:
    """An agent that has the key, or none."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        asks = ["ssh-add", "-q", str(key)] if key else ["ssh-add", "-D"]
        with_agent = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        for _ in range(1000):
            if subprocess.run(asks, env=with_agent, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
        yield
    finally:
        process.kill()
        process.wait(10)
        path.unlink(missing_ok=True)


async def test_a_job_is_lost_when_the_host_dies_and_what_is_left_of_it_ended_when_it_is_back() -> None:
    mark = "7120031"
    with short_folder() as folder, sshds(folder, ("127.0.0.6",)) as (one,):
        async with backends(folder, {"one": host(one)}) as (backend,):
            text = f"echo go; sleep {mark} & wait"
            events = backend.run(permit(shell(text), limits=Limits(wall_seconds=100)))
            async with aclosing(events):
                assert isinstance(await anext(events), Started)
                await anext(events)
                one.kill()
                ended = await anext(events)
            assert isinstance(ended, Exited)
            assert (ended.reason, ended.stdout_bytes) == (Reason.LOST, 3)
            with pytest.raises(Unavailable, match="cannot be reached"):
                await ran(backend, shell("true"))
            assert processes(mark)
            one.start()
            await until(lambda: not processes(mark))
            assert (await ran(backend, shell("echo back"))).stdout == b"back\n"


async def test_a_login_shell_that_runs_nothing_is_told_of(pair: list[Sshd]) -> None:
    forced = ["ForceCommand echo This account is not available; exit 1"]
    with short_folder() as folder, sshds(folder, ("127.0.0.7",), options0=forced) as (one,):
        async with backends(folder, {"one": host(one)}) as (backend,):
            with pytest.raises(Denied, match="does not run commands"):
                await ran(backend, shell("true"))


@pytest.mark.parametrize("name", ["A;touch /tmp/x", "A B", "1A", "A=B", "A$(x)"])
async def test_what_is_no_name_of_a_variable_never_reaches_a_shell(pair: list[Sshd], name: str) -> None:
    async with backends(pair[0].folder.parent, {"one": host(pair[0], environment_allowed=("*",))}) as (one,):
        with pytest.raises(Invalid, match="is no name of a variable"):
            await ran(one, shell("true", environment={name: "x"}))


A: dict[str, Any] = {"address": "a", "user": "u", "keys": (Path("k"),)}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"keys": ()}, "keys or agent"),
        ({"port": 0}, "port must be"),
        ({"user": "u -oProxyCommand=x"}, "user must be one plain word"),
        ({"address": "a;b"}, "address must be one plain word"),
        ({"directory": "work"}, "begin with /"),
        ({"environment": {"A;B": ""}}, "environment holds"),
        ({"sessions": 0}, "sessions must be"),
    ],
)
def test_a_host_that_cannot_be_meant_is_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SshHost(**{**A, **parts})


@pytest.mark.parametrize(
    ("jumps", "words"),
    [
        ({"a": "b"}, "no other host"),
        ({"a": "a"}, "no other host"),
        ({"a": "b", "b": "a"}, "in a circle: a b a"),
    ],
)
def test_a_jump_leads_to_another_host_and_not_in_a_circle(jumps: dict[str, str], words: str) -> None:
    hosts = {name: SshHost(**{**A, "jump": jump}) for name, jump in jumps.items()}
    with pytest.raises(ValueError, match=words):
        SshSettings(hosts=hosts)
