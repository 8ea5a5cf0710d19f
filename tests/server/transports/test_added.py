"""A transport of another package: the one of the how-to, built, installed and spoken to."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support import added as page
from support import certificates
from support.added import connected, house_of, modern
from support.edge import LEGACY, Edge, edge, legacy
from support.places import free_port
from support.running import COMMAND
from wand_proto.errors import Conflict, Invalid, NotFound, WandError
from wand_server.auth import keyfile
from wand_server.kinds import Frozen
from wand_server.transports import added
from wand_server.transports.door import Door, Transport


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.install(tmp_path_factory.mktemp("added"))


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(site, monkeypatch)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


def put_in(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "wand_lines", raising=False)


@asynccontextmanager
async def opened(served: Edge, refused: list[tuple[str, str]] | None = None) -> AsyncIterator[int]:
    port = free_port()
    (one,) = added.load(["lines"], {"lines": {"port": port}})
    async with added.serving(one, house_of(served, refused)):
        yield port


@pytest.mark.usefixtures("installed")
async def test_it_answers_in_the_stateless_era_as_whoever_has_the_key(served: Edge) -> None:
    async with opened(served) as port, connected(port, served.key) as client:
        answer = await client.ask(modern("tools/call", name="echo", arguments={"text": "hi"}))

    assert answer["result"]["structuredContent"] == {"text": "hi", "principal": "probe"}


@pytest.mark.usefixtures("installed")
async def test_it_answers_in_the_handshake_era(served: Edge) -> None:
    about = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "p", "version": "1"}}
    async with opened(served) as port, connected(port, served.other_key) as client:
        assert (await client.ask(legacy("initialize", about)))["result"]["protocolVersion"] == LEGACY
        client.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        answer = await client.ask(legacy("tools/call", {"name": "echo", "arguments": {"text": "hi"}}))

    assert answer["result"]["structuredContent"] == {"text": "hi", "principal": "other"}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("key", ["", "wand_not-a-key-of-ours-at-all", "Bearer x", "\x00"])
async def test_nobody_comes_in_without_a_key(served: Edge, key: str) -> None:
    refused: list[tuple[str, str]] = []
    async with opened(served, refused) as port, connected(port, key) as client:
        client.say(modern("tools/call", name="echo", arguments={"text": "hi"}))
        said = await client.text()
        assert await client.text() == ""

    assert said.startswith("refused: ")
    assert not key.strip("\x00") or key not in said
    assert served.tools.calls == []
    assert [where for where, _ in refused] == ["127.0.0.1"]


@pytest.mark.usefixtures("installed")
async def test_a_message_that_cannot_be_read_is_answered_and_the_next_one_is_read(served: Edge) -> None:
    async with opened(served) as port, connected(port, served.key) as client:
        client.writer.write(b"{\n")
        assert (await client.hear())["error"]["code"] == -32700
        assert "result" in await client.ask(modern("tools/list"))


@pytest.mark.usefixtures("installed")
async def test_a_connection_ends_with_its_key(served: Edge, tmp_path: Path) -> None:
    async with opened(served) as port, connected(port, served.key) as client:
        assert "result" in await client.ask(modern("tools/list"))
        keyfile.remove(tmp_path / "keys.toml", "probe")
        assert await client.hear() is None  # within a second or two: nobody has to ask


@pytest.mark.usefixtures("installed")
async def test_a_server_that_leaves_lets_calls_end_takes_no_new_ones_and_hangs_up(served: Edge) -> None:
    async with opened(served) as port, connected(port, served.key) as client:
        client.say({**modern("tools/call", name="slow", arguments={}), "id": 7})
        await asyncio.wait_for(served.tools.slow_began.wait(), 20)
        leaving = asyncio.create_task(served.transport.kernel.leave(30))
        await asyncio.sleep(0)
        refused = await client.ask({**modern("tools/call", name="echo", arguments={}), "id": 8})
        served.tools.slow_may_end.set()
        ended = await client.hear()
        assert await leaving
        silent = await asyncio.open_connection("127.0.0.1", port)  # who has not signed in is let go as well

    assert (refused["id"], "error" in refused or refused["result"]["isError"]) == (8, True)
    assert ended["id"] == 7
    assert await client.hear() is None
    assert await silent[0].read() == b""
    silent[1].close()


@pytest.mark.usefixtures("installed")
async def test_hanging_up_ends_the_calls(served: Edge) -> None:
    async with opened(served) as port:
        async with connected(port, served.key) as client:
            client.say(modern("tools/call", name="slow", arguments={}))
            await asyncio.wait_for(served.tools.slow_began.wait(), 20)
        await asyncio.wait_for(served.tools.slow_cancelled.wait(), 20)


def broken(*, at: str) -> added.Added:
    @asynccontextmanager
    async def serving(_: Door, __: Frozen) -> AsyncIterator[None]:
        if at == "hang":
            await asyncio.Event().wait()
        if at == "start":
            raise ZeroDivisionError("odd")
        yield
        if at == "stop":
            raise ZeroDivisionError("odd")

    return added.Added(name="b", origin="b 1", transport=Transport(Frozen, serving), settings=Frozen())


@pytest.mark.parametrize(
    ("at", "said"), [("start", "broke as it started: ZeroDivisionError: odd"), ("hang", "not started within")]
)
async def test_one_that_does_not_start_is_told(
    served: Edge, monkeypatch: pytest.MonkeyPatch, at: str, said: str
) -> None:
    monkeypatch.setattr(added, "START_SECONDS", 0.01)
    with pytest.raises(Conflict, match=said):
        async with added.serving(broken(at=at), house_of(served)):
            pass


async def test_one_that_breaks_as_it_stops_keeps_nobody_from_stopping(
    served: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    async with added.serving(broken(at="stop"), house_of(served)):
        pass

    assert "transport broke" in caplog.text


async def ready(served: Edge) -> tuple[int, dict[str, Any]]:
    async with served.client.get(f"{served.origin}/readyz") as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("how", ["closed", "broken", "odd"])
async def test_readyz_names_one_that_listens_no_more(served: Edge, how: str) -> None:
    dies, listening = asyncio.Event(), asyncio.Event()

    class Listener:
        def is_serving(self) -> bool:
            if how == "odd" and dies.is_set():
                raise ZeroDivisionError("odd")
            return not (how == "closed" and dies.is_set())

    async def die() -> None:
        await dies.wait()
        if how == "broken":
            raise ZeroDivisionError("odd")

    @asynccontextmanager
    async def serving(_: Door, __: Frozen) -> AsyncIterator[Listener]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(die())
            try:
                yield Listener()
            finally:
                listening.set()
                dies.set()

    one = added.Added(name="b", origin="b 1", transport=Transport(Frozen, serving), settings=Frozen())
    async with added.serving(one, house_of(served)) as is_up:
        served.transport.beside["b"] = is_up
        before = await ready(served)
        dies.set()
        if how == "broken":
            await asyncio.wait_for(listening.wait(), 5)
            await asyncio.sleep(0)
        assert await ready(served) == (503, {"status": "degraded", "not_listening": ["b"]})
        assert (await served.ask(**served.call("echo")))[0] == 200
    assert before == (200, {"status": "ready"})


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("names", "options", "kind", "said"),
    [
        (["linse"], {}, NotFound, "no package here has a transport 'linse'"),
        (["lines", "lines"], {}, Invalid, "names a transport twice"),
        ([], {"lines": {}}, Invalid, "is a table of no transport that is enabled"),
        (
            ["lines"],
            {"lines": {"prot": 1}},
            Invalid,
            "transports.options.lines.prot: is not a setting; known are: host, port",
        ),
        (
            ["lines"],
            {"lines": {"port": 70000}},
            Invalid,
            "transports.options.lines.port: must be at most 65535",
        ),
    ],
)
def test_what_cannot_be_loaded_is_told(
    names: list[str], options: dict[str, Any], kind: type[WandError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        added.load(names, options)

    assert said in str(caught.value)


def test_a_wrong_value_is_not_repeated(installed: None) -> None:
    with pytest.raises(Invalid) as caught:
        added.load(["lines"], {"lines": {"host": ["s3cret"]}})

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import nowhere_at_all\n", "ModuleNotFoundError"),
        ("def (\n", "SyntaxError"),
        ("raise SystemError('odd')\n", "SystemError: odd"),
        ("", "AttributeError"),
        ("TRANSPORT = 3\n", "is no transport but int"),
    ],
)
def test_one_that_does_not_load_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Path, module: str, said: str
) -> None:
    for point in site.glob("*.dist-info"):
        (tmp_path / "site" / point.name).mkdir(parents=True)
        for file in point.iterdir():
            (tmp_path / "site" / point.name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "site" / "wand_lines.py").write_text(module)
    put_in(tmp_path / "site", monkeypatch)

    with pytest.raises(Invalid) as caught:
        added.load(["lines"], {})

    assert said in str(caught.value)
    assert "wand-lines 0.1.0" in str(caught.value)


def test_two_packages_with_one_name_stop_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: None
) -> None:
    monkeypatch.syspath_prepend(str(page.install(tmp_path, name="other-lines")))

    with pytest.raises(Conflict, match=r"other-lines 0\.1\.0 and wand-lines 0\.1\.0 both have"):
        added.load(["lines"], {})


def test_what_nobody_names_is_not_loaded(installed: None) -> None:
    assert added.load([], {}) == ()
    assert "wand_lines" not in sys.modules


# -- the page, word by word, with the real server --------------------------------------------------


def settings_in(folder: Path, port: int) -> Path:
    certificates.good(folder / "pki")
    wanted = page.blocks()["settings"].replace("8003", str(port))
    file = folder / "server.toml"
    file.write_text(
        '[http]\nport = 0\nkeys_file = "keys.toml"\n[stdio]\nsocket = "s"\n'
        '[hostagent]\naddress = "unix:nobody"\nca = "pki/ca.crt"\n'
        'certificate = "pki/server.crt"\nkey = "pki/server.key"\n' + wanted
    )
    file.chmod(0o600)
    return file


def test_the_real_server_serves_it_and_the_client_of_the_page_is_answered(tmp_path: Path, site: Path) -> None:
    port, key = free_port(), keyfile.add(tmp_path / "keys.toml", "ask")
    file, log = settings_in(tmp_path, port), tmp_path / "log"
    (tmp_path / "ask.py").write_text(page.blocks()["client"])
    ask: list[str | Path] = [sys.executable, tmp_path / "ask.py", str(port), key]
    reading, writing = os.pipe()
    argv: list[str | Path] = [COMMAND, "serve", "--settings", file, "--ready-fd", str(writing)]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    with log.open("wb") as written:
        server = subprocess.Popen(argv, pass_fds=[writing], stderr=written, env=environment)
    os.close(writing)
    try:
        with os.fdopen(reading) as ready:
            assert ready.readline(), log.read_text()
        done = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=90)
        assert "execute_command" in done.stdout.split(), done.stderr + log.read_text()
        wrong = subprocess.run([*ask[:-1], "x"], capture_output=True, text=True, check=False, timeout=90)
        assert wrong.stderr.startswith("refused: the API key is not known here")
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert key not in log.read_text()


def test_the_real_server_says_why_it_does_not_start(tmp_path: Path) -> None:
    keyfile.add(tmp_path / "keys.toml", "ask")
    argv: list[str | Path] = [COMMAND, "serve", "--settings", settings_in(tmp_path, free_port())]

    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=90, cwd=tmp_path)

    assert done.returncode == 1
    assert "no package here has a transport 'lines'" in done.stderr
    assert "installed are: none" in done.stderr
