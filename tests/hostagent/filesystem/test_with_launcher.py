"""The file tools behind a real launcher: started by it, held by it, replaced after it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.launcher_client import Launcher, launched, needs_root, write_profile
from support.waiting import until
from wand_hostagent.filesystem.client import FileWorkers
from wand_hostagent.filesystem.model import Mode, Read, ReadAnswer, Write, WriteAnswer
from wand_hostagent.launcherlink import LauncherLink
from wand_proto.errors import Denied


@asynccontextmanager
async def files_with_launcher() -> AsyncIterator[tuple[FileWorkers, Launcher, LauncherLink]]:
    with launched() as launcher:
        async with LauncherLink.open(launcher.socket) as link:
            files = FileWorkers(link)
            try:
                yield files, launcher, link
            finally:
                await files.aclose()


async def test_a_file_is_written_and_read_and_the_worker_is_on_record() -> None:
    async with files_with_launcher() as (files, launcher, _):
        written = await files.use("p", Write(path="f", data=b"x", mode=Mode.CREATE))
        read = await files.use("p", Read(path="f"))

        assert isinstance(written, WriteAnswer)
        assert written.path == f"{launcher.workspace}/f"
        assert isinstance(read, ReadAnswer)
        assert read.data == b"x"
        (started,) = launcher.records("worker")
        assert started["fields"]["profile"] == "p"


async def test_where_a_rule_names_no_profile_the_default_one_is_meant() -> None:
    async with files_with_launcher() as (files, launcher, _):
        await files.use("", Write(path="f", data=b"x", mode=Mode.CREATE))
        await files.use("p", Read(path="f"))
        assert await files.aliases("") == ()

        (started,) = launcher.records("worker")
        assert started["fields"]["profile"] == "p"


async def test_every_worker_ends_with_the_close_and_its_end_is_on_record() -> None:
    async with files_with_launcher() as (files, launcher, _):
        await asyncio.gather(*(files.use("p", Read(path=".")) for _ in range(4)), return_exceptions=True)
        await files.aclose()
        await until(lambda: len(launcher.records("end")) == len(launcher.records("worker")))

        assert {line["fields"]["exit_code"] for line in launcher.records("end")} == {0}


async def test_a_read_survives_the_death_of_the_launcher() -> None:
    async with files_with_launcher() as (files, launcher, link):
        (launcher.workspace / "f").write_text("x")
        await files.use("p", Read(path="f"))
        os.kill(launcher.process.pid, signal.SIGKILL)
        launcher.process.wait(10)
        await until(lambda: not link.is_up)
        launcher.restart()
        await until(lambda: link.is_up)

        read = await files.use("p", Read(path="f"))

        assert isinstance(read, ReadAnswer)
        assert read.data == b"x"


@pytest.mark.root
@needs_root
async def test_each_principal_has_file_tools_of_its_own_where_each_has_a_user() -> None:
    async with files_with_launcher() as (files, launcher, _):
        (launcher.folder / "each").mkdir(mode=0o755)
        each = f'name = "q"\nworkspace = "{launcher.folder}/each/{{principal}}"\nrun_as = "each"\n'
        write_profile(launcher.folder / "profiles" / "q.toml", each + "users = [72100, 72109]")
        launcher.process.send_signal(signal.SIGHUP)
        await until(lambda: bool(launcher.records("reload")))
        for principal in ("ann", "bob"):
            await files.use("q", Write(path="f", data=b"x", mode=Mode.CREATE), principal=principal)
            written = launcher.folder / "each" / principal / "f"
            assert written.stat().st_uid == written.parent.stat().st_uid == 72100 + (principal == "bob")
        with pytest.raises(Denied, match="outside"):
            await files.use("q", Read(path=f"{launcher.folder}/each/ann/f"), principal="bob")
