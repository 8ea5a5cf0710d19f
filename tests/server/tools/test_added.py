"""Tools of another package: the one of the how-to, built, installed and called."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from support import certificates
from support.added import modern, unpacked
from support.host import FakeHost, call, outcome
from support.running import COMMAND
from support.tree import ROOT
from wand_proto.errors import Conflict, Invalid, NotFound, WandError
from wand_server.auth import keyfile
from wand_server.ports import Command
from wand_server.tools import added, registry
from wand_server.tools.registry import Extensions, Registry

PAGE = ROOT / "docs" / "how-to" / "add-a-tool.md"
_BLOCK = re.compile(r"^```(?:python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[str]:
    """What the page has a package made of: the module, the package, the settings."""
    module, package, settings = _BLOCK.findall(PAGE.read_text())
    return [module, package, settings]


def install(folder: Path, module: str, name: str = "wand-ours") -> Path:
    """Build the package of the page, perhaps with another module; the folder to import from."""
    source = folder / f"{name}-source"
    source.mkdir()
    (source / "wand_ours.py").write_text(module)
    (source / "pyproject.toml").write_text(blocks()[1].replace("wand-ours", name))
    return unpacked(source, folder / f"{name}-site")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("tools"), blocks()[0])


@pytest.fixture
def tool_registry(monkeypatch: pytest.MonkeyPatch) -> Extensions:
    """An empty one, and none of the package loaded yet."""
    monkeypatch.setattr(registry, "tool_registry", Extensions())
    monkeypatch.delitem(sys.modules, "wand_ours", raising=False)
    return registry.tool_registry


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.usefixtures("installed")
async def test_a_tool_of_another_package_acts_on_the_host(tool_registry: Extensions) -> None:
    host = FakeHost(outcome=outcome(b"2031-01-31 12:00:00\n"))
    (package,) = added.load(["ours"])

    result = await Registry(host, tool_registry.entries()).call("up_since", {}, call())

    assert (package.origin, package.tools) == ("wand-ours 0.1.0", ("up_since",))
    assert result.text == "up since 2031-01-31 12:00:00"
    assert host.asked == [Command(argv=("uptime", "-s"))]


@pytest.mark.usefixtures("installed", "tool_registry")
def test_what_nobody_names_is_not_loaded() -> None:
    assert added.load([]) == ()
    assert "wand_ours" not in sys.modules


@pytest.mark.usefixtures("installed", "tool_registry")
@pytest.mark.parametrize(
    ("names", "kind", "said"),
    [
        (["our"], NotFound, "tools.added: no package here has a module of tools 'our' (installed are: ours)"),
        (["ours", "ours"], Invalid, "tools.added: names a module of tools twice"),
    ],
)
def test_a_name_that_fits_nothing_is_told(names: list[str], kind: type[WandError], said: str) -> None:
    with pytest.raises(kind) as caught:
        added.load(names)

    assert said in str(caught.value)


REGISTER = "from wand_server.tools.registry import tool_registry\n"
PLAIN = "class A:\n def get_schema(self): return {}\n async def execute(self, p): return {}\n"


@pytest.mark.usefixtures("tool_registry")
@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("", "wand_ours of wand-ours 0.1.0 adds no tool"),
        ("import nowhere_at_all\n", "does not load (wand_ours of wand-ours 0.1.0): ModuleNotFoundError"),
        (f"{REGISTER}@tool_registry.register('read_file')\n{PLAIN}", "there is a tool 'read_file' already"),
        (f"{REGISTER}@tool_registry.register('a b')\n{PLAIN}", "'a b' cannot be a tool's name"),
        (
            f"{REGISTER}@tool_registry.register('a')\nclass A: pass\n",
            "needs the methods execute and get_schema",
        ),
    ],
)
def test_a_module_that_adds_nothing_is_told(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch, module: str, said: str
) -> None:
    (about,) = site.glob("*.dist-info")
    (tmp_path / about.name).mkdir()
    for file in about.iterdir():
        (tmp_path / about.name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "wand_ours.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(Invalid) as caught:
        added.load(["ours"])

    assert said in str(caught.value)


@pytest.mark.usefixtures("installed", "tool_registry")
def test_two_packages_with_one_name_stop_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(install(tmp_path, "", name="other-ours")))

    with pytest.raises(Conflict, match=r"other-ours 0\.1\.0 and wand-ours 0\.1\.0 both have"):
        added.load(["ours"])


# -- the page, with the real server ----------------------------------------------------------------


def settings_in(folder: Path) -> Path:
    certificates.good(folder / "pki")
    file = folder / "server.toml"
    file.write_text(
        '[http]\nport = 0\nkeys_file = "keys.toml"\n[stdio]\nsocket = "s"\n'
        '[hostagent]\naddress = "unix:nobody"\nca = "pki/ca.crt"\n'
        'certificate = "pki/server.crt"\nkey = "pki/server.key"\n' + blocks()[2]
    )
    file.chmod(0o600)
    return file


def names_of_tools(port: str, key: str) -> list[str]:
    body: dict[str, Any] = modern("tools/list")
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/list",
    }
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/mcp", json.dumps(body).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=90) as answer:
        return [tool["name"] for tool in json.load(answer)["result"]["tools"]]


def test_the_real_server_offers_it_and_check_tells_of_it(tmp_path: Path, site: Path) -> None:
    key, file = keyfile.add(tmp_path / "keys.toml", "ask"), settings_in(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    check: list[str | Path] = [COMMAND, "check", "--settings", file]
    told = subprocess.run(check, capture_output=True, text=True, check=False, timeout=90, env=environment)
    assert "the tools up_since: load, from wand-ours 0.1.0\n" in told.stdout, told.stderr

    reading, writing = os.pipe()
    argv: list[str | Path] = [COMMAND, "serve", "--settings", file, "--ready-fd", str(writing)]
    log = tmp_path / "log"
    with log.open("wb") as written:
        server = subprocess.Popen(argv, pass_fds=[writing], stderr=written, env=environment)
    os.close(writing)
    try:
        with os.fdopen(reading) as ready:
            port = ready.readline().strip()
        assert names_of_tools(port, key)[-1] == "up_since", log.read_text()
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
