"""The commands about people and what they gave, as an administrator types them."""

import asyncio
import io
import os
import sys
import tomllib
from pathlib import Path

import pytest

from support.issuing import ANN, PASSWORD, QUICK, issuing
from wand_proto.errors import Denied, Unavailable
from wand_server import accounts, cli, onrecord, settings
from wand_server.issuer.grants import Grants
from wand_server.issuer.people import People
from wand_server.issuer.service import DATABASE
from wand_server.issuer.store import Store


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    file = tmp_path / "server.toml"
    file.write_text("[issuer]\nfolder = 'issuer'\n")
    file.chmod(0o600)
    monkeypatch.setattr(accounts, "Passwords", lambda: QUICK)

    def typed(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = cli.run([words[0], "--settings", str(file), *words[1:]])
        said = capsys.readouterr()
        return status, said.out, said.err

    return typed


def test_people_are_added_listed_and_removed(run: object) -> None:
    assert callable(run)
    added = run("people", "add", ANN, "--group", "developers", stdin=f"{PASSWORD}\n")
    assert (*added[:2], added[2].splitlines()[0]) == (0, "", f"{ANN} may sign in.")
    assert "NOT in the ledger" in added[2]
    status, out, _ = run("people", "list")
    heading, row = (line.split("\t") for line in out.splitlines())
    assert (status, heading, row[0], row[3]) == (0, ["NAME", "SINCE", "GRANTS", "GROUPS"], ANN, "developers")
    assert run("people", "passwd", ANN, stdin="another long password\n")[2].startswith(f"{ANN} has another")
    assert run("people", "remove", ANN)[2].startswith(f"{ANN} may sign in no more")
    assert run("people", "list")[1] == "NAME\tSINCE\tGRANTS\tGROUPS\n"
    assert run("grants", "list")[1] == "ID\tPERSON\tSINCE\tPROGRAM\tSCOPES\n"


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("people", "add", "bob"), "short\n", "12 to 256"),
        (("people", "add", "bob smith"), f"{PASSWORD}\n", "letters, digits"),
        (("people", "add", ANN), f"{PASSWORD}\n", "is there already"),
        (("people", "passwd", "eve"), f"{PASSWORD}\n", "nobody named"),
        (("people", "remove", "eve"), "", "nobody named"),
        (("grants", "revoke", "eve"), "", "no grant"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: object, words: tuple[str, ...], stdin: str, said: str, tmp_path: Path
) -> None:
    assert callable(run)
    run("people", "add", ANN, stdin=f"{PASSWORD}\n")
    status, _, err = run(*words, stdin=stdin)
    assert status == 1
    assert said in err
    assert "(wand-server" not in err or f"--settings {tmp_path}/server.toml)" in err


async def test_clients_that_registered_are_listed_and_forgotten(run: object, tmp_path: Path) -> None:
    assert callable(run)
    async with issuing(tmp_path / "issuer") as place:
        client_id = (await place.register())["client_id"]
        tokens = (await place.redeem(client_id, await place.code(client_id)))[1]

        _, out, err = await asyncio.to_thread(run, "clients", "list")
        assert [line.split("\t")[2:4] for line in out.splitlines()] == [["GRANTS", "PROGRAM"], ["1", "Probe"]]
        assert "None of them is let in" in err
        assert (await asyncio.to_thread(run, "clients", "remove", client_id))[0] == 0
        assert (await place.refresh(client_id, tokens["refresh_token"]))[1]["error"] == "invalid_client"
        assert (await asyncio.to_thread(run, "grants", "list"))[1].count("\n") == 1
        assert "clients list --settings" in (await asyncio.to_thread(run, "clients", "remove", client_id))[2]


async def test_a_grant_or_client_ends_only_once_that_is_on_record(
    run: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(run)
    told, can_record = [], False

    async def record(_: object, change: str) -> str:
        told.append(change)
        if not can_record:
            raise Unavailable("the ledger is full")
        return ""

    monkeypatch.setattr(onrecord, "record", record)
    async with issuing(tmp_path / "issuer") as place:
        client_id = (await place.register())["client_id"]
        tokens = (await place.redeem(client_id, await place.code(client_id)))[1]
        grant = place.jti(tokens).partition(".")[0]
        for words in (("grants", "revoke", grant), ("clients", "remove", client_id)):
            assert "the ledger is full" in (await asyncio.to_thread(run, *words))[2]
        again = (await place.refresh(client_id, tokens["refresh_token"]))[1]

        can_record = True
        said = (await asyncio.to_thread(run, "grants", "revoke", grant))[2]
        assert (await place.refresh(client_id, again["refresh_token"]))[1]["error"] == "invalid_grant"

    assert said.endswith("It is in the ledger.\n")
    assert told == [
        line := f"grant {grant}: ends",
        f"client {client_id}: forgotten, what people gave it ends",
        line,
    ]


@pytest.mark.parametrize("how", ["revoke", "remove", "passwd"])
async def test_a_running_server_takes_back_what_a_command_ends(how: str, tmp_path: Path) -> None:
    now = [1000.0]
    async with issuing(tmp_path, clock=lambda: now[0]) as place, Store(tmp_path / DATABASE) as elsewhere:
        client_id = (await place.register())["client_id"]
        _, tokens = await place.redeem(client_id, await place.code(client_id))
        jti = place.jti(tokens)
        assert not await place.issuer.is_over(jti)
        people = People(elsewhere, QUICK)
        if how == "remove":
            await people.remove(ANN)
        elif how == "passwd":
            await people.change_password(ANN, "another long password")
        else:
            await Grants(elsewhere, clock=lambda: now[0]).revoke(jti.partition(".")[0])
        now[0] += 3
        assert (await place.refresh(client_id, tokens["refresh_token"]))[1]["error"] == "invalid_grant"
        assert await place.issuer.is_over(jti)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
async def test_what_root_makes_belongs_to_the_owner_of_the_folder_above(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    async with Store(tmp_path / "issuer" / DATABASE) as store:
        await People(store, QUICK).add(ANN, PASSWORD)
    assert owners(tmp_path / "issuer") == {(65534, 0o600), (65534, 0o700)}


def owners(folder: Path) -> set[tuple[int, int]]:
    found = [folder.stat(), *(path.stat() for path in folder.iterdir())]
    return {(about.st_uid, about.st_mode & 0o777) for about in found}


async def test_a_database_that_others_have_too_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / DATABASE
    async with Store(file):
        pass
    (tmp_path / "other.db").hardlink_to(file)
    with pytest.raises(Denied, match="somebody else"):
        async with Store(file):
            pass


@pytest.mark.parametrize(
    ("more", "said"),
    [("", "nobody may sign in yet"), ("user_header = 'X-U'\ntrusted_proxies = ['::1']", "::1")],
)
async def test_the_check_says_who_may_sign_in(more: str, said: str, tmp_path: Path) -> None:
    table = tomllib.loads(f"url = 'https://wand.example'\nfolder = '{tmp_path}'\n{more}")
    assert said in await accounts.summary(settings.Issuer.model_validate(table))


async def test_a_database_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "issuer.db"
    file.write_bytes(b"this is no database at all" * 100)
    file.chmod(0o600)
    with pytest.raises(Unavailable, match="cannot be used"):
        async with Store(file):
            pass
