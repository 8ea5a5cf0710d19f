"""The bundle for Claude Desktop: made by the official tool, opened by its library, started by a client."""

import contextlib
import hashlib
import json
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from support.places import short_folder
from support.running import COMMAND, embedded
from support.tree import ROOT
from support.waiting import until

TOOL = ROOT / ".dev/bundle/node_modules/@anthropic-ai/mcpb/dist"
LINTER = ROOT / ".dev/registry/bin/skillsaw"
ADDRESS = "https://git.example/wand/wand/releases/download/v1/wand.mcpb"
NODE = shutil.which("node") or ""
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin") or ""
pytestmark = pytest.mark.skipif(
    not (TOOL / "cli/cli.js").exists() or not NODE, reason="run ./dev bundle first"
)


def build(folder: Path) -> Path:
    argv: list[str | Path] = [sys.executable, ROOT / "packaging/mcpb/build.py", "--out", folder]
    argv += ["--address", ADDRESS, "--name", "io.github.example/wand"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return Path(done.stdout.splitlines()[0])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def opened(bundle: Path) -> Path:
    """The bundle as the official tool unpacks it."""
    folder = bundle.parent / "opened"
    subprocess.run([NODE, TOOL / "cli/cli.js", "unpack", bundle, folder], check=True, capture_output=True)
    return folder


def started(opened: Path, path: str = "", **settings: str) -> StdioServerParameters:
    """What a client starts, with those settings of the user."""
    argv: list[str | Path] = [
        NODE,
        ROOT / "tests/bundle/config.mjs",
        TOOL / "index.js",
        opened,
        json.dumps(settings),
    ]
    config = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    environment = {"PATH": path or "/usr/bin:/bin", "HOME": str(opened.parent)}
    return StdioServerParameters(command=config["command"], args=config["args"], env=environment)


async def prints(server: StdioServerParameters, command: str) -> str:
    """What a command prints that is run by the bundle's server."""
    async with Client(server) as client:
        ran = await client.call_tool("execute_command", {"command": command})
    assert ran.structured_content is not None, ran
    return str(ran.structured_content["stdout"])


def test_the_official_tool_finds_nothing_wrong_with_it(opened: Path) -> None:
    argv: list[str | Path] = [NODE, TOOL / "cli/cli.js", "validate", opened / "manifest.json"]

    done = subprocess.run(argv, check=True, capture_output=True, text=True)

    assert "Manifest schema validation passes!" in done.stdout
    read = json.loads((opened / "manifest.json").read_text())
    assert "execute_command" in {tool["name"] for tool in read["tools"]}
    assert os.access(opened / read["server"]["entry_point"], os.X_OK)


def test_the_same_files_make_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == bundle.read_bytes()


def lint(folder: Path, entry: dict[str, Any]) -> int:
    """The status of the linter that knows the schema of the registry."""
    folder.mkdir(exist_ok=True)
    (folder / "server.json").write_text(json.dumps(entry))
    rules = ["--type", "mcp-registry", "--rule", "mcp-registry-server-json-valid", "--no-plugins"]
    return subprocess.run([LINTER, "lint", *rules, folder], check=False, capture_output=True).returncode


@pytest.mark.skipif(not LINTER.exists(), reason="run ./dev bundle first")
def test_what_the_registry_is_told_fits_its_schema(bundle: Path, tmp_path: Path) -> None:
    entry = json.loads((bundle.parent / "server.json").read_text())

    assert entry["packages"][0]["fileSha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert lint(tmp_path, entry) == 0
    wrong: dict[str, Any] = {"name": "wand", "version": "latest", "description": "x" * 101, "packages": [{}]}
    for key, value in wrong.items():
        assert lint(tmp_path, {**entry, key: value}) == 1, key


async def test_it_is_a_way_to_the_wand_of_this_machine(opened: Path) -> None:
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as wand:
            server = started(opened, program=str(COMMAND))
            server.env = {**(server.env or {}), "WAND_SOCKET": str(wand.state / "run/stdio.sock")}

            assert await prints(server, "echo here") == "here\n"


async def test_it_starts_a_wand_of_its_own_for_a_folder(opened: Path) -> None:
    with short_folder() as folder:
        (folder / "a folder's").mkdir()
        server = started(opened, folder=str(folder / "a folder's"), program=str(COMMAND))
        server.env = {**(server.env or {}), "HOME": str(folder)}

        assert await prints(server, "pwd") == f"{folder}/a folder's\n"


@pytest.mark.parametrize(
    ("settings", "says"),
    [({}, "wand-server is not on this machine"), ({"program": "/no/where"}, "no program at the path given")],
)
def test_without_a_wand_the_client_is_told_so(opened: Path, settings: dict[str, str], says: str) -> None:
    server = started(opened, **settings)
    asked = '{"method":"ping","jsonrpc":"2.0","id":"a-1"}\n{"jsonrpc":"2.0","id": 7,"method":"initialize"}\n'

    done = subprocess.run(
        [server.command, *server.args],
        input=asked,
        env=server.env,
        check=False,
        capture_output=True,
        text=True,
    )

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, [answer["id"] for answer in answers]) == (1, ["a-1", 7])
    assert all(says in answer["error"]["message"] for answer in answers)


@contextlib.contextmanager
def ssh_server(folder: Path) -> Iterator[int]:
    """A real sshd on loopback with keys of its own, and what its client must know in FOLDER/home/.ssh."""
    home = folder / "home" / ".ssh"
    home.mkdir(parents=True, mode=0o700)
    for path in (folder / "host", home / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    public = (folder / "host.pub").read_text()
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    said = {
        "ListenAddress": f"127.0.0.1:{port}", "HostKey": folder / "host", "PidFile": "none", "UsePAM": "no",
        "AuthorizedKeysFile": home / "id_ed25519.pub", "StrictModes": "no", "PermitRootLogin": "yes",
    }  # fmt: skip
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in said.items()))
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as its unit does
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", folder / "config"], stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        yield port
    finally:
        child.terminate()
        child.wait(20)


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(not SSHD or os.geteuid() != 0, reason="no sshd, or not root")
async def test_it_reaches_another_machine_by_ssh(opened: Path) -> None:
    user = pwd.getpwuid(os.geteuid())
    with short_folder() as folder, ssh_server(folder) as port:
        (folder / "a folder's").mkdir()
        await until(lambda: is_open(port))
        server = started(
            opened,
            host=f"ssh://{user.pw_name}@127.0.0.1:{port}",
            folder=str(folder / "a folder's"),
            program=str(COMMAND),
        )
        home = (
            f"mount --bind {folder}/home {user.pw_dir} && exec "  # ssh goes by the list of users, not by HOME
        )
        words = shlex.join([server.command, *server.args])
        server.command, server.args = "/usr/bin/unshare", ["-m", "sh", "-c", home + words]

        assert await prints(server, "pwd") == f"{folder}/a folder's\n"
