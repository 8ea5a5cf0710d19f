"""The package of docs/how-to/add-a-transport.md, built from the page and installed in a folder."""

import asyncio
import json
import re
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.edge import ENVELOPE, Edge, legacy
from support.tree import ROOT
from wand_server.transports.door import House

PAGE = ROOT / "docs" / "how-to" / "add-a-transport.md"
_BLOCK = re.compile(r"^   ```(\w+)\n(.*?)^   ```$", re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, str]:
    """What the page has one type: the module, its package, the settings, and the client that asks."""
    found = [(kind, textwrap.dedent(text)) for kind, text in _BLOCK.findall(PAGE.read_text())]
    assert [kind for kind, _ in found] == ["python", "toml", "toml", "python"]
    return dict(zip(("module", "package", "settings", "client"), (text for _, text in found), strict=True))


def install(folder: Path, module: str = "", name: str = "wand-lines") -> Path:
    """Build a wheel of it, perhaps with another module, and unpack it; the folder to import from."""
    source, site = folder / f"{name}-source", folder / f"{name}-site"
    source.mkdir()
    (source / "wand_lines.py").write_text(module or blocks()["module"])
    (source / "pyproject.toml").write_text(blocks()["package"].replace("wand-lines", name))
    return unpacked(source, site)


def unpacked(source: Path, site: Path) -> Path:
    """The folder `site`, with what a wheel of the package in `source` holds."""
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(argv, cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    return site


def house_of(served: Edge, refused: list[tuple[str, str]] | None = None) -> House:
    http = served.transport
    heard = [] if refused is None else refused
    return House(
        kernel=http.kernel,
        guard=http.guard,
        limits=http.limits,
        tenures=http.tenures,
        refused=lambda where, why: heard.append((where, why)),
    )


class Lines:
    """A client of the page's transport."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, message: Any) -> None:
        self.writer.write(json.dumps(message).encode() + b"\n")

    async def hear(self) -> Any:
        line = await self.text()
        return json.loads(line) if line else None

    async def text(self) -> str:
        return (await asyncio.wait_for(self.reader.readline(), 10)).decode()

    async def ask(self, message: Any) -> Any:
        self.say(message)
        return await self.hear()


@asynccontextmanager
async def connected(port: int, key: str) -> AsyncIterator[Lines]:
    client = Lines(*await asyncio.open_connection("127.0.0.1", port))
    client.writer.write(f"{key}\n".encode())
    try:
        yield client
    finally:
        client.writer.close()


def modern(method: str, **params: Any) -> dict[str, Any]:
    return legacy(method, {**params, "_meta": ENVELOPE})
