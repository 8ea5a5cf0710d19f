"""Only the launcher starts a process (and, for development, the supervisor)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import tree

MODULES = {"subprocess", "_posixsubprocess", "pty", "multiprocessing", "docker", "asyncssh"}
ON_OS = {"system", "popen", "fork", "forkpty"}
ON_OS_PREFIXES = ("exec", "spawn", "posix_spawn")
ANYWHERE = {
    "create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell",
    "ProcessPoolExecutor",
}  # fmt: skip
MAY_START = {f"server/wand_server/embedded/{name}.py" for name in ("children", "parts", "shown")}

# What starts commands on other hosts may be named where that is done, and starts none here.
MAY_SPEAK = {f"hostagent/wand_hostagent/backends/ssh/{name}.py" for name in ("link", "job")}


def spelled(path: Path) -> Iterator[str]:
    """Every way to start a process that the module spells, with its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        for owner, name in _names(node):
            if _starts(owner, name) and not (name == "asyncssh" and tree.name(path) in MAY_SPEAK):
                yield f"{tree.name(path)}:{getattr(node, 'lineno', 0)}: {name}"


def _names(node: ast.AST) -> list[tuple[str, str]]:
    """What a node names, each with what it belongs to: `import` stands for modules, `?` for any object."""
    match node:
        case ast.Import(names=names):
            return [("import", alias.name) for alias in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [("import", module), *((module, alias.name) for alias in names)]
        case ast.Attribute(value=owner, attr=name):
            return [(owner.id if isinstance(owner, ast.Name) else "?", name)]
        case ast.Constant(value="subprocess" | "multiprocessing" as text):
            return [("import", text)]
        case _:
            return []


def _starts(owner: str, name: str) -> bool:
    if owner == "import":
        return name.partition(".")[0] in MODULES
    return name in ANYWHERE or (owner == "os" and (name in ON_OS or name.startswith(ON_OS_PREFIXES)))


def starters(package: str) -> list[str]:
    paths = [path for path in tree.modules_of(package) if tree.name(path) not in MAY_START]
    return [place for path in paths if "/launcher/" not in tree.name(path) for place in spelled(path)]


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_nothing_but_the_launcher_and_the_supervisor_spells_a_way_to_start_a_process(package: str) -> None:
    assert starters(package) == []


@pytest.mark.parametrize(
    "line",
    [
        "import subprocess",
        "from subprocess import run",
        "import multiprocessing.pool",
        "__import__('subprocess')",
        "import os; os.execve('a', [], {})",
        "import os; os.system('a')",
        "from os import posix_spawn",
        "import asyncssh",
        "import asyncio; asyncio.create_subprocess_exec('a')",
        "from asyncio import create_subprocess_shell",
        "asyncio.get_running_loop().subprocess_exec(p, 'a')",
    ],
)
def test_the_probe_sees_every_spelling(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    (tmp_path / "guilty.py").write_text(line)
    assert list(spelled(tmp_path / "guilty.py"))
