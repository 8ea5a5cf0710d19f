"""The administrator's socket: who is heard, what is read, and what comes back."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.places import short_folder
from wand_proto import desk, unixsocket
from wand_proto.errors import Broken, Conflict, Denied, NotFound, Unavailable, WandError

ME = os.geteuid()


async def do(asked: dict[str, Any], by: str) -> dict[str, Any]:
    if asked.get("be") == "broken":
        raise ZeroDivisionError
    if asked.get("be") == "away":
        raise NotFound("it is not here", hint="look elsewhere", field="be")
    return {"asked": asked, "by": by}


@asynccontextmanager
async def listening(**more: Any) -> AsyncIterator[Path]:
    with short_folder() as folder:
        path = folder / "desk.sock"
        parts = {"do": do, "uids": {ME}, "who": "this user", "seconds": 5.0, **more}
        async with desk.Desk(**parts).open(path, "name another"):
            yield path
        assert not path.exists()


async def ask(path: Path, question: Mapping[str, Any]) -> dict[str, Any]:
    return await asyncio.to_thread(desk.ask, path, question, seconds=5, hint="start it")


async def raw(path: Path, line: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    answer = await reader.readline()
    writer.close()
    return answer


async def test_a_question_is_answered_and_who_asked_is_known() -> None:
    async with listening() as path:
        assert await ask(path, {"a": [1]}) == {"asked": {"a": [1]}, "by": unixsocket.user(ME)}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("question", "kind", "hint", "field"),
    [({"be": "away"}, NotFound, "look elsewhere", "be"), ({"be": "broken"}, Broken, "", "")],
)
async def test_a_no_comes_back_as_the_error_that_it_was(
    question: dict[str, str], kind: type[WandError], hint: str, field: str
) -> None:
    async with listening() as path:
        with pytest.raises(kind) as told:
            await ask(path, question)
    assert type(told.value) is kind
    assert (told.value.hint, told.value.field) == (hint, field)
    assert "Zero" not in str(told.value)  # what broke stands in the log, and there alone


async def test_a_stranger_is_refused_and_told_of() -> None:
    heard: list[int] = []
    async with listening(uids={ME + 1}, refused=heard.append) as path:
        with pytest.raises(Denied, match="only this user may ask here"):
            await ask(path, {})
    assert heard == [ME]


@pytest.mark.parametrize("line", [b"no json\n", b"[1]\n", b"\xff\n", b"x" * (desk.MOST_BYTES + 9) + b"\n"])
async def test_what_is_no_question_is_invalid(line: bytes) -> None:
    async with listening() as path:
        assert b'"error": "Invalid"' in await raw(path, line)


async def test_who_asks_nothing_is_let_go_in_time() -> None:
    async with listening(seconds=0.05) as path:
        assert await raw(path, b"{") == b""


async def test_nobody_is_where_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no answer at") as told:
        await ask(tmp_path / "none", {})
    assert told.value.hint == "start it"


async def test_the_socket_of_one_that_listens_is_left_and_that_of_one_that_is_gone_is_not() -> None:
    async with listening() as path:
        with pytest.raises(Conflict, match="another process listens") as told:
            unixsocket.bound(path, 0o600, backlog=1, hint="name another")
        assert told.value.hint == "stop it, or name another"
        (plain := path.with_name("plain")).touch()
        with pytest.raises(Conflict, match="exists and is no socket"):
            unixsocket.bound(plain, 0o600, backlog=1, hint="")
        stale = path.with_name("stale")
        first, inode = unixsocket.bound(stale, 0o600, backlog=1, hint="")
        first.close()
        again, other = unixsocket.bound(stale, 0o640, backlog=1, hint="")
        again.close()
        assert stat.S_IMODE(stale.stat().st_mode) == 0o640
        unixsocket.remove(stale, other + 1)  # another has taken its place
        assert (unixsocket.is_there(stale, other), unixsocket.is_there(stale, other + 1)) == (True, False)
        unixsocket.remove(stale, other)
        assert not stale.exists()
        assert inode > 0


@pytest.mark.parametrize(("uid", "said"), [(0, "0 (root)"), (3_999_999_999, "3999999999")])
def test_a_user_is_named_where_there_is_a_name(uid: int, said: str) -> None:
    assert unixsocket.user(uid) == said
