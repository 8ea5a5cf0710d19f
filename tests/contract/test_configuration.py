"""A server that runs takes up another configuration, by SIGHUP and by command, and the ledger tells of it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.places import short_folder
from support.running import Running, embedded
from support.visits import client_of, launcher_pid, recorded, server_pid
from support.waiting import until
from wand_proto.errors import WandError
from wand_server import settings
from wand_server.runtime import command


@pytest.fixture
def wand() -> Iterator[Running]:
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as running:
            yield running


def file_of(wand: Running) -> Path:
    return wand.state / "server.toml"


def told(wand: Running, **question: Any) -> dict[str, Any]:
    return command.ask(settings.load(file_of(wand), {}).control_socket, question)


async def test_a_session_goes_on_and_hears_of_the_tools_that_changed(wand: Running) -> None:
    heard: list[str] = []

    async def on_message(message: Any) -> None:
        heard.append(getattr(message, "method", ""))

    async with client_of(wand, "legacy", message_handler=on_message) as client:
        before = [tool.name for tool in (await client.list_tools()).tools]
        with file_of(wand).open("a") as file:
            file.write('[tools]\ndisabled = ["commands"]\n')
        os.kill(server_pid(wand), signal.SIGHUP)
        await until(lambda: recorded(wand, "config"))
        await until(lambda: "notifications/tools/list_changed" in heard)
        after = [tool.name for tool in (await client.list_tools()).tools]

    assert [name for name in before if name not in after] == ["execute_command", "send_input", "list_jobs"]
    (change,) = recorded(wand, "config")
    assert (change["by"], change["changed"]) == ("SIGHUP", ['tools.disabled: [] -> ["commands"]'])
    assert change["uri"].startswith("spiffe://")
    assert change["before"] != change["after"]


async def test_an_administrator_sets_and_it_is_on_record_by_whom(wand: Running) -> None:
    outcome = told(wand, do="set", settings={"tools.read_only": "true"})

    (change,) = recorded(wand, "config")
    assert (change["by"].split()[0], change["after"]) == (str(os.geteuid()), outcome["digest"])
    async with client_of(wand) as client:
        assert "write_file" not in [tool.name for tool in (await client.list_tools()).tools]


async def test_without_a_ledger_nothing_changes(wand: Running) -> None:
    os.kill(launcher_pid(wand), signal.SIGSTOP)
    try:
        with pytest.raises(WandError):
            told(wand, do="set", settings={"tools.read_only": "true"})
        assert told(wand, do="show")["settings"]["tools.read_only"]["value"] is False
    finally:
        os.kill(launcher_pid(wand), signal.SIGCONT)
