"""Files that are kept: for their owner, by their digest, whole or not at all, within quotas, for a while."""

import asyncio
import fcntl
import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from wand_proto.errors import Broken, Exhausted, NotFound, Unavailable
from wand_server.memory import artifacts, atomic
from wand_server.memory.artifacts import ArtifactFolder, Quotas
from wand_server.ports import EVERYONE, NewArtifact

QUOTAS = Quotas(in_all=10_000, of_one=4000, each=3000, seconds=60)
ALL = (0, 1_000_000)


class Clock:
    """Stands still until it is told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> ArtifactFolder:
    return ArtifactFolder(tmp_path / "artifacts", QUOTAS, clock)


def new(data: bytes, mime_type: str = "text/plain") -> NewArtifact:
    return NewArtifact(data=data, name="result.txt", mime_type=mime_type)


def contents(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "artifacts" / "objects").glob("*/*"))


async def test_what_was_kept_is_read_by_its_digest_in_parts(folder: ArtifactFolder) -> None:
    kept = await folder.keep("ann", new(b"one two three"))
    assert kept.digest == hashlib.sha256(b"one two three").hexdigest()
    assert (await folder.read("ann", kept.digest, ALL)).data == b"one two three"
    assert (await folder.read("ann", kept.digest, (4, 3))).data == b"two"
    assert (await folder.read("ann", kept.digest, (100, 3))).data == b""
    assert await folder.find("ann", kept.digest) == kept


async def test_it_is_there_for_another_process_and_after_a_restart(
    folder: ArtifactFolder, tmp_path: Path, clock: Clock
) -> None:
    other = ArtifactFolder(tmp_path / "artifacts", QUOTAS, clock)
    assert await other.listed("ann") == ()
    kept = await folder.keep("ann", new(b"x"))
    assert await other.listed("ann") == (kept,)
    await other.remove("ann", kept.digest)
    assert await folder.listed("ann") == ()


async def test_nobody_else_reads_it_and_nobody_learns_that_it_is_there(folder: ArtifactFolder) -> None:
    kept = await folder.keep("ann", new(b"x"))
    with pytest.raises(NotFound) as hers:
        await folder.read("bob", kept.digest, ALL)
    with pytest.raises(NotFound) as nobodys:
        await folder.read("bob", "0" * 64, ALL)
    assert str(hers.value) == str(nobodys.value)
    assert await folder.listed("bob") == ()


async def test_the_same_content_is_there_once_and_stays_until_nobody_has_it(
    folder: ArtifactFolder, tmp_path: Path
) -> None:
    kept = await folder.keep("ann", new(b"same"))
    await folder.keep("bob", new(b"same"))
    assert contents(tmp_path) == [kept.digest]
    await folder.remove("ann", kept.digest)
    assert (await folder.read("bob", kept.digest, ALL)).data == b"same"
    await folder.remove("bob", kept.digest)
    assert contents(tmp_path) == []


@pytest.mark.parametrize("reader", ["bob", EVERYONE])
async def test_what_is_shared_is_read_until_its_owner_takes_it_back(
    folder: ArtifactFolder, reader: str
) -> None:
    kept = await folder.keep("ann", new(b"x"))
    await folder.share("ann", kept.digest, reader)
    assert (await folder.read("bob", kept.digest, ALL)).data == b"x"
    with pytest.raises(NotFound):
        await folder.share("bob", kept.digest, "eve")
    await folder.remove("ann", kept.digest)
    with pytest.raises(NotFound):
        await folder.read("bob", kept.digest, ALL)


async def test_what_has_expired_is_gone(folder: ArtifactFolder, tmp_path: Path, clock: Clock) -> None:
    kept = await folder.keep("ann", new(b"x"))
    clock.now += QUOTAS.seconds
    with pytest.raises(NotFound):
        await folder.read("ann", kept.digest, ALL)
    assert await folder.listed("ann") == ()
    clock.now += 1
    again = ArtifactFolder(tmp_path / "artifacts", QUOTAS, clock)
    other = await again.keep("ann", new(b"y"))
    assert contents(tmp_path) == [other.digest]


async def test_where_an_owner_has_no_room_their_own_oldest_goes(folder: ArtifactFolder, clock: Clock) -> None:
    first = await folder.keep("ann", new(b"1" * 2000))
    bobs = await folder.keep("bob", new(b"2" * 2000))
    clock.now += 1
    second = await folder.keep("ann", new(b"3" * 2000))
    clock.now += 1
    third = await folder.keep("ann", new(b"4" * 2000))
    assert await folder.listed("ann") == (third, second)
    assert await folder.listed("bob") == (bobs,)
    with pytest.raises(NotFound):
        await folder.find("ann", first.digest)


async def test_nobody_loses_anything_to_another_where_there_is_no_room_in_all(folder: ArtifactFolder) -> None:
    for number, owner in enumerate("abcde"):
        await folder.keep(owner, new(str(number).encode() * 2000))
    with pytest.raises(Exhausted, match="no room is left"):
        await folder.keep("f", new(b"x" * 2000))
    assert [len(await folder.listed(owner)) for owner in "abcdef"] == [1, 1, 1, 1, 1, 0]
    await folder.keep("a", new(b"y" * 2000))
    await folder.keep("f", new(b"x" * 0))


async def test_what_is_too_large_is_refused_with_what_would_not_be(folder: ArtifactFolder) -> None:
    with pytest.raises(Exhausted) as why:
        await folder.keep("ann", new(b"x" * 3001))
    assert "3,000" in why.value.hint


async def test_what_was_not_finished_is_cleared_away(
    folder: ArtifactFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await folder.keep("ann", new(b"x"))
    left = tmp_path / "artifacts" / "objects" / kept.digest[:2] / f"{atomic.PREFIX}1"
    left.write_bytes(b"half")
    await ArtifactFolder(tmp_path / "artifacts", QUOTAS, Clock()).keep("ann", new(b"y"))
    assert not left.exists()

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(Unavailable, match="No space left"):
        await folder.keep("ann", new(b"z"))
    assert len(contents(tmp_path)) == 2
    assert len(await folder.listed("ann")) == 2


async def test_a_file_that_was_changed_on_disk_is_not_given_out(
    folder: ArtifactFolder, tmp_path: Path
) -> None:
    kept = await folder.keep("ann", new(b"abc"))
    (path,) = (tmp_path / "artifacts" / "objects").glob("*/*")
    path.write_bytes(b"xyz")
    with pytest.raises(Broken):
        await folder.read("ann", kept.digest, ALL)
    path.write_bytes(b"ab")
    with pytest.raises(Broken):
        await folder.read("ann", kept.digest, (0, 1))


async def test_what_is_kept_is_our_users_alone(folder: ArtifactFolder, tmp_path: Path) -> None:
    await folder.keep("../../ann", new(b"x"))
    for path in (tmp_path / "artifacts").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert not (tmp_path / "ann").exists()


async def test_many_at_once_are_all_kept(folder: ArtifactFolder, tmp_path: Path, clock: Clock) -> None:
    other = ArtifactFolder(tmp_path / "artifacts", QUOTAS, clock)
    both = [folder, other]
    kept = await asyncio.gather(
        *(both[number % 2].keep("ann", new(f"{number}".encode())) for number in range(40))
    )
    assert set(await folder.listed("ann")) == set(kept)
    assert replace(kept[0], name="") != kept[0]


async def test_a_folder_that_another_process_holds_is_given_up_after_a_while(
    folder: ArtifactFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await folder.keep("ann", new(b"x"))
    monkeypatch.setattr(artifacts, "_PATIENCE_SECONDS", 0.05)
    with (tmp_path / "artifacts" / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable, match="cannot be written"):
            await folder.keep("ann", new(b"y"))
        assert (await folder.read("ann", kept.digest, ALL)).data == b"x"
    await folder.keep("ann", new(b"y"))


_KEEPS = """\
import asyncio, os, sys
from pathlib import Path
from wand_server.memory.artifacts import ArtifactFolder, Quotas
from wand_server.ports import NewArtifact

folder = ArtifactFolder(Path(sys.argv[1]), Quotas(in_all=10**9, of_one=10**9, each=10**7, seconds=3600))

async def main():
    while True:
        kept = await folder.keep("ann", NewArtifact(data=os.urandom(200_000), name="x"))
        print(kept.digest, flush=True)

asyncio.run(main())
"""


async def test_what_was_said_to_be_kept_outlives_a_kill_and_nothing_is_half_there(tmp_path: Path) -> None:
    said: list[str] = []
    for number in range(4):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _KEEPS, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        said += [(await process.stdout.readline()).decode().strip() for _ in range(3 + number)]
        process.kill()  # at whatever it does now
        said += (await process.stdout.read()).decode().split()
        await process.wait()
    folder = ArtifactFolder(tmp_path, Quotas(in_all=10**9, of_one=10**9, each=10**7, seconds=3600))
    last = await folder.keep("ann", new(b"x"))  # which looks at all of it first
    for digest in said:
        whole = (await folder.read("ann", digest, ALL)).data
        assert hashlib.sha256(whole).hexdigest() == digest
    on_disk = {path.name for path in (tmp_path / "objects").glob("*/*")}
    assert on_disk == {one.digest for one in await folder.listed("ann")} >= {*said, last.digest}
