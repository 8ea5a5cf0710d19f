"""The administrator's socket, and the command that speaks to it."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.elsewhere import Elsewhere
from support.fakelauncher import linked
from support.gates import Rules
from support.people import ANN, job
from support.places import short_folder
from wand_hostagent import cli, control
from wand_hostagent.approvals import Approvals, Terms
from wand_hostagent.backends.base import Health
from wand_hostagent.choosing import Backends
from wand_hostagent.desk import Desk
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Policy, Question, Rule, Verdict
from wand_hostagent.switching import Switch
from wand_proto.errors import (
    BrokenPolicy,
    Conflict,
    Denied,
    Invalid,
    NeedsApproval,
    NotFound,
    Unavailable,
    WandError,
)

ASK = Rule(name="a person says", verdict=Verdict.ASK, programs=("*",), profile="developer")
NOTED: list[tuple[str, Mapping[str, Any]]] = []
HIDES = job("echo", "list files", " " * 5000 + "; rm -rf /", "\x1b[8m", environment={"A": "b"})


async def nothing(*_: object) -> None:
    """Records nothing."""


@asynccontextmanager
async def desk(uids: Collection[int]) -> AsyncIterator[tuple[Path, Approvals]]:
    """A desk at which one act waits."""

    async def reload(by: str) -> str:
        if (reloads := path.with_name("reloads")).exists():
            reloads.write_text(by)
            return "d2"
        raise BrokenPolicy("base.toml:3 is wrong")

    approvals = Approvals(nothing, Terms(wait_seconds=0))
    asked = decide(Policy(rules=(ASK,), digest="d1"), ANN, HIDES)
    assert isinstance(asked, Question)
    with pytest.raises(NeedsApproval):
        await approvals.permit(ANN, asked, {})
    with short_folder() as folder:
        path = folder / "control.sock"
        async with linked() as (_, link):
            noted = Desk(approvals, reload, switch(link), uids, lambda *told: NOTED.append(told))
            async with noted.open(path):
                yield path, approvals


def switch(link: LauncherLink) -> Switch:
    """Two backends, of which one is down."""
    away = Elsewhere("moon", {"air": "none"}, health_is=Health(up=False, detail="no \x1b[8mair"))
    return Switch(Rules(), link, Backends([Elsewhere("native"), away]))


async def command(path: Path, *words: str) -> int:
    """What `wand-hostagent approve` does, with settings that name the socket."""
    settings = path.parent / "hostagent.toml"
    settings.write_text(f'control_socket = "{path}"\n')
    settings.chmod(0o600)
    act, *rest = words
    chosen = {"reload": "policy", "default": "backends", "backends": "backends"}.get(act, "approve")
    act = "list" if act == "backends" else act
    return await asyncio.to_thread(cli.run, [chosen, act, "--settings", str(settings), *rest])


async def test_a_person_lists_reads_and_says_yes(capsys: pytest.CaptureFixture[str]) -> None:
    async with desk({os.geteuid()}) as (path, approvals):
        (waiting,) = await approvals.all()
        assert await command(path, "list") == 0
        listed = capsys.readouterr().out
        assert await command(path, "show", waiting.id) == 0
        shows = capsys.readouterr().out
        assert await command(path, "yes", waiting.id) == 0

        assert (await approvals.get(waiting.id)).state == "given"
    assert listed.startswith(f"{waiting.id}  waiting, ")
    assert "argv[1]: list files" in shows
    assert "argv[2]:  [5000 blanks] ; rm -rf /" in shows  # it hides behind nothing
    assert r"argv[3]: \x1b[8m" in shows
    assert "environment.A: b" in shows
    assert "runs[0]: echo 'list files'" in shows


async def test_a_person_has_the_policy_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    async with desk({os.geteuid()}) as (path, _):
        assert await command(path, "reload") == 1
        assert "base.toml:3 is wrong" in capsys.readouterr().err
        reloads = path.with_name("reloads")
        reloads.touch()
        assert await command(path, "reload") == 0
        assert reloads.read_text().startswith(str(os.geteuid()))
    assert capsys.readouterr().out == "read, digest d2\n"


async def test_no_name_of_a_caller_or_a_variable_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    eve = replace(ANN, principal="eve\x1b[2K\rann")
    hides = job("echo", environment={"A\x1b[8m": "b"})
    async with desk({os.geteuid()}) as (path, approvals):
        asked = decide(Policy(rules=(ASK,), digest="d1"), eve, hides)
        assert isinstance(asked, Question)
        with pytest.raises(NeedsApproval):
            await approvals.permit(eve, asked, {})
        assert await command(path, "list") == 0
        assert await command(path, "show", (await approvals.all())[1].id) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "eve\\x1b[2K\\rann: " in out
    assert "environment.A\\x1b[8m: b" in out


async def test_only_the_administrator_is_listened_to() -> None:
    NOTED.clear()
    async with desk({os.geteuid() + 1}) as (path, approvals):
        (waiting,) = await approvals.all()
        for act in ("list", "yes", "reload"):
            with pytest.raises(Denied, match="only root"):
                await asyncio.to_thread(control.ask, path, {"do": act, "id": waiting.id})

        assert (await approvals.get(waiting.id)).state == "waiting"
    assert [(event, told["by"]) for event, told in NOTED] == [("sign_in_refused", "desk")] * 3


async def test_the_socket_is_for_its_owner_alone() -> None:
    async with desk({os.geteuid()}) as (path, _):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with linked() as (_, link):
            second = Desk(Approvals(nothing), lambda _: asyncio.sleep(0, ""), switch(link), {0})
            with pytest.raises(Conflict, match="listens at"):
                async with second.open(path):
                    pass
    assert not path.exists()


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"do": "yes", "id": "nothing"}, NotFound),
        ({"do": "drop"}, Invalid),
        ({"do": 5}, Invalid),
        ({"do": "reload"}, BrokenPolicy),
    ],
)
async def test_what_is_wrong_is_told(asked: dict[str, str], kind: type[WandError]) -> None:
    async with desk({os.geteuid()}) as (path, _):
        with pytest.raises(kind):
            await asyncio.to_thread(control.ask, path, asked)


async def test_where_nobody_listens_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no answer at"):
        control.ask(tmp_path / "nothing.sock", {"do": "list"})


async def test_a_person_sees_where_jobs_can_run_and_moves_them(capsys: pytest.CaptureFixture[str]) -> None:
    async with desk({os.geteuid()}) as (path, _):
        assert await command(path, "backends") == 0
        assert capsys.readouterr().out == "native  up default\nmoon  DOWN air=none  no \\x1b[8mair\n"
        assert await command(path, "default", "air=none") == 0
        assert "from now on run on air=none" in capsys.readouterr().out
        assert await command(path, "default", "mars") == 1
        assert "is 'mars'; there are: native, moon (air=none)" in capsys.readouterr().err
        assert await command(path, "backends") == 0
        assert "DOWN default" in capsys.readouterr().out
