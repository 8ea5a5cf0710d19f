"""Who takes part, and what each is asked."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import _servers
from bench._load import Era
from bench._servers import Server
from support.places import free_port
from support.running import COMMAND, embedded
from wand_server.auth import keyfile

ACTS = {"echo": "echo: a tool that says it again", "true": "true: run /bin/true on the host"}
FLOOR = "bare aiohttp handler"
CAUGHT = "bare, its output caught"
IN_BWRAP = "bare, in bwrap"
WAND = "Wand, all of it"
BOTH_ERAS: tuple[Era, ...] = ("modern", "legacy")

Start = Callable[[Path], contextlib.AbstractContextManager[Server]]
"""Start the server, with a folder that it may use as long as it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A tools/call, and what every right answer to it holds."""

    tool: str
    proof: bytes
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A server: how it is started, and what it can be asked."""

    name: str
    start: Start
    acts: Mapping[str, Ask]
    eras: tuple[Era, ...] = BOTH_ERAS


ECHO = Ask(tool="echo", proof=b"hello world", arguments={"text": "hello world"})
TRUE = Ask(tool="true", proof=b"exit 0")
WANDS_TRUE = Ask(tool="execute_command", proof=b'"exit_code":0', arguments={"argv": ["/bin/true"]})


def peer(name: str, environment: str, *words: str) -> Contender:
    python = _servers.python_of(environment)

    def start(folder: Path) -> contextlib.AbstractContextManager[Server]:
        port = free_port()
        argv: Sequence[str | Path] = [python, _servers.PEERS / f"{environment}.py", str(port), *words]
        return _servers.started(argv, port, folder / "log")

    eras: tuple[Era, ...] = ("modern",) if environment == "bare" else BOTH_ERAS  # that knows no era
    acts = {"true": TRUE} if name in (CAUGHT, IN_BWRAP) else {"echo": ECHO, "true": TRUE}
    return Contender(name=name, start=start, acts=acts, eras=eras)


def start_typescript(folder: Path) -> contextlib.AbstractContextManager[Server]:
    """The official TypeScript SDK's server, on node:http."""
    home, port = _servers.node_home("typescript"), free_port()
    node = next(iter(sorted(home.glob("node_modules/node-linux-*/bin/node"))), Path("node"))
    script = _servers.PEERS / "typescript" / "server.mjs"
    return _servers.started(["env", f"PEER={home}", node, script, str(port)], port, folder / "log")


def start_edge(folder: Path) -> contextlib.AbstractContextManager[Server]:
    """Our transport, guard and kernel, with an echo behind them."""
    port, file = free_port(), folder / "keys.toml"
    headers = {"Authorization": f"Bearer {keyfile.add(file, 'bench')}"}
    argv: Sequence[str | Path] = [sys.executable, Path(__file__).with_name("_edge.py"), str(port), file]
    return _servers.started(argv, port, folder / "log", headers)


@contextlib.contextmanager
def start_wand(
    folder: Path, core: int | None = 0, command: Sequence[str | Path] = (COMMAND,)
) -> Iterator[Server]:
    """All of Wand, as `./dev run` starts it, held to one core unless that is None."""
    (folder / "work").mkdir()
    subprocess.run([sys.executable, "-c", "import wand_hostagent.daemon, wand_server.app"], check=True)
    with contextlib.ExitStack() as stack:
        with _servers.on_core(core) if core is not None else contextlib.nullcontext():
            running = stack.enter_context(embedded(folder / "work", folder / "state", command=command))
        port = urlsplit(running.url).port
        assert port is not None
        yield Server(pid=running.pid, port=port, headers=running.headers)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder with a short name, for there are sockets in it."""
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as folder:
        yield Path(folder)


def every() -> list[Contender]:
    return [
        peer(FLOOR, "bare"),
        peer(CAUGHT, "bare", "caught"),
        *([peer(IN_BWRAP, "bare", "bwrap")] if shutil.which("bwrap") else []),
        Contender(name="Wand, its edge alone", start=start_edge, acts={"echo": ECHO}),
        Contender(name=WAND, start=start_wand, acts={"true": WANDS_TRUE}),
        peer("mcp SDK, low level, uvicorn", "sdk", "low"),
        peer("mcp SDK, MCPServer, uvicorn", "sdk", "high"),
        peer("FastMCP, uvicorn", "fast"),
        *(
            [
                Contender(
                    name="TypeScript SDK, node", start=start_typescript, acts={"echo": ECHO, "true": TRUE}
                )
            ]
            if shutil.which("npm")
            else []
        ),
    ]
