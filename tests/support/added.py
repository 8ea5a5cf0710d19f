"""The package of docs/how-to/add-a-transport.md, built from the page and installed in a folder."""

import re
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

from support.tree import ROOT

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
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(argv, cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    return site
