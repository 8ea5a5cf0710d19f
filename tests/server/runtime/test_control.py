"""The administrator's socket of the server, and the command that asks at it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.runtime.test_runtime import FakeParts, Scene
from support.places import short_folder
from wand_proto.desk import MOST_BYTES
from wand_proto.errors import Conflict, Denied, Invalid, Unavailable
from wand_server.runtime import command
from wand_server.runtime.control import Control


@asynccontextmanager
async def asked_at(uids: Collection[int] = (os.geteuid(),)) -> AsyncIterator[tuple[Scene, Path]]:
    with short_folder() as folder:
        scene, path = Scene(folder / "server.toml", FakeParts()), folder / "c.sock"
        async with Control(scene.runtime, frozenset(uids)).open(path):
            yield scene, path


async def run(path: Path, *words: str) -> int:
    return await asyncio.to_thread(command.main, ["--socket", str(path), *words])


async def test_an_administrator_sees_and_sets_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    async with asked_at() as (scene, path):
        await run(path, "set", "log.level=debug", "tools.read_only=true")
        await run(path, "show")
        await run(path, "unset", "tools.read_only")
        await run(path, "reload")

    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["tools.read_only: false -> true", 'log.level: "info" -> "debug"']
    assert 'log.level = "debug"  # set' in told
    assert "http.port = 8001  # file or default; needs a restart" in told
    assert told[-4:-3] == ["tools.read_only: true -> false"]
    assert told[-2] == "nothing has changed"
    assert [one.by.split()[0] for one in scene.recorded] == [str(os.geteuid())] * 2


async def test_a_bad_file_is_said_to_be_bad_where_it_was_asked_for() -> None:
    async with asked_at() as (scene, path):
        scene.write("[log]\nlevel = 'loud'")
        with pytest.raises(Invalid, match=r"log\.level: .*line 2"):
            await run(path, "reload")


async def test_what_needs_a_restart_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    async with asked_at() as (scene, path):
        scene.write("[http]\nport = 1")
        await run(path, "reload")

    assert "needs a restart: http.port\n" in capsys.readouterr().out


async def test_nobody_else_is_listened_to() -> None:
    async with asked_at(uids=(os.geteuid() + 1,)) as (scene, path):
        with pytest.raises(Denied, match="only root and the server's own user"):
            await run(path, "set", "log.level=debug")

    assert scene.recorded == []


async def test_the_socket_is_for_its_owner_alone_and_goes_with_the_server() -> None:
    async with asked_at() as (_, path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


async def test_a_second_server_does_not_take_the_place_of_one_that_listens() -> None:
    async with asked_at() as (scene, path):
        with pytest.raises(Conflict, match="another process listens"):
            async with Control(scene.runtime).open(path):
                pass
        assert await run(path, "show") == 0


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"nonsense\n", b"[]\n", b'{"do":"stop"}\n', b'{"do":"set","settings":{"log.level":1}}\n',
        b'{"do":"set","settings":{"nothing.such":"1"}}\n', b'{"do":"unset","names":[1]}\n',
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_answered_as_invalid(line: bytes) -> None:
    async with asked_at() as (scene, path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(line)
        writer.write_eof()
        answer = json.loads(await reader.readline())
        writer.close()

    assert (answer["error"], scene.recorded) == ("Invalid", [])


async def test_who_talks_without_end_is_hung_up_on() -> None:
    async with asked_at() as (_, path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"x" * (4 * MOST_BYTES))
        assert b"must be one line of JSON" in await reader.readline()
        writer.transport.abort()


def test_where_nobody_listens_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is the server running"):
        command.main(["--socket", str(tmp_path / "no"), "show"])


@pytest.mark.parametrize("word", ["log.level", "=debug"])
def test_a_setting_is_set_by_name_and_value(tmp_path: Path, word: str) -> None:
    with pytest.raises(Invalid, match="must be NAME=VALUE"):
        command.main(["--socket", str(tmp_path / "no"), "set", word])
