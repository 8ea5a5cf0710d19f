"""Make the bundle for Claude Desktop, and what the MCP Registry is told of it; `./dev bundle` runs this.

The official tool (npm's @anthropic-ai/mcpb, below .dev/bundle) validates the manifest and packs the files.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any, cast

from wand_server.ports import Host
from wand_server.tools.registry import Registry

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOL = ROOT / ".dev" / "bundle" / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
SAYS = "Let an agent work on a Linux machine: commands and files, within a policy."  # 100 characters at most
_TIME = (2025, 1, 1, 0, 0, 0)  # of each file, so that the same files make the same bundle


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bundle", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist/")
    parser.add_argument(
        "--address", metavar="URL", help="where the bundle will lie: then server.json is written"
    )
    parser.add_argument("--name", metavar="NAME", help="in the registry, as io.github.OWNER/wand")
    asked = parser.parse_args()
    if bool(asked.address) != bool(asked.name):
        parser.error("--address and --name go together")
    if asked.address and not re.fullmatch(r"https://\S+\.mcpb", asked.address):
        parser.error("--address must be https, and end with .mcpb")
    if asked.name and not re.fullmatch(r"[A-Za-z0-9.-]+/[A-Za-z0-9._-]+", asked.name):
        parser.error("--name must be a name space, a slash and a name: io.github.OWNER/wand")
    asked.out.mkdir(parents=True, exist_ok=True)
    bundle = pack(asked.out / f"wand-{version()}.mcpb")
    print(bundle)
    if asked.address:
        told = asked.out / "server.json"
        told.write_text(json.dumps(entry(bundle, asked.name, asked.address), indent=2) + "\n")
        print(told)


def version() -> str:
    """The version of all distributions."""
    read = tomllib.loads((ROOT / "server" / "pyproject.toml").read_text())
    return str(read["project"]["version"])


def manifest() -> dict[str, Any]:
    """The manifest with our version and the tools that there are."""
    read: dict[str, Any] = json.loads((HERE / "manifest.json").read_text())
    tools = Registry(cast("Host", None)).describe()
    described = [{"name": one.name, "description": one.description.partition("\n")[0]} for one in tools]
    return {**read, "version": version(), "tools": described, "tools_generated": True}


def pack(bundle: Path) -> Path:
    """Have the official tool make the bundle."""
    node = shutil.which("node")
    if node is None:
        sys.exit("build.py: there is no node")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "server").mkdir()
        (folder / "manifest.json").write_text(json.dumps(manifest(), indent=2) + "\n")
        shutil.copy(HERE / "wand", folder / "server")
        shutil.copy(ROOT / "LICENSE", folder)
        bundle.unlink(missing_ok=True)
        done = subprocess.run(
            [node, TOOL, "pack", folder, bundle], check=False, capture_output=True, text=True
        )
        if done.returncode != 0 or not bundle.exists():
            sys.exit(f"build.py: the bundle was not made:\n{done.stdout}{done.stderr}")
    settle(bundle)
    return bundle


def settle(bundle: Path) -> None:
    """Give all files in it one time: the tool gives them that of the moment."""
    with zipfile.ZipFile(bundle) as read:
        files = [(about, read.read(about)) for about in read.infolist()]
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as written:
        for about, content in sorted(files, key=lambda each: each[0].filename):
            same = zipfile.ZipInfo(about.filename, _TIME)
            same.create_system, same.external_attr = about.create_system, about.external_attr
            same.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(same, content)


def entry(bundle: Path, name: str, address: str) -> dict[str, Any]:
    """What the MCP Registry is told: server.json."""
    package = {
        "registryType": "mcpb",
        "identifier": address,
        "fileSha256": hashlib.sha256(bundle.read_bytes()).hexdigest(),
        "transport": {"type": "stdio"},
    }
    about = {"name": name, "title": "Wand", "description": SAYS, "version": version()}
    return {"$schema": SCHEMA, **about, "packages": [package]}


if __name__ == "__main__":
    main()
