"""The tree of files that a package brings: one folder with all that Python needs, byte code included.

`python3 -I -S FOLDER` runs it from wherever it lies: nothing in it knows its own place, and nothing of the
system's Python beside the standard library is looked at.
"""

import gzip
import os
import platform
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

from builder import manual
from builder.tools import LOCKS, ROOT, Tools, say

HALVES = ("hostagent", "server")
# Wheels for this libc or an older one, that of the oldest system we are for (RHEL 9: glibc 2.34).
PLATFORMS = {"amd64": "x86_64-manylinux_2_34", "arm64": "aarch64-manylinux_2_34"}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_DEAD_FOLDERS = ("tests", "test", "__pycache__", "include", "pkgconfig")
_DEAD_FILES = ("*.a", "*.pyx", "*.pxd", "*.pyi", "*.c", "*.h", "*.cc", "*.hpp", "py.typed", "RECORD",
               "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json",
               ".lock")  # fmt: skip
_MAIN = '"""What `wand-{half}` runs."""\n\nfrom wand_{half}.cli import main\n\nmain()\n'
_COMMAND = '#!/bin/sh\nexec /usr/lib/wand-{half}/bin/python3 -I -S /usr/lib/wand-{half} "$@"\n'
_SCRIPTS = {path.name for path in (ROOT / "packaging" / "libexec").iterdir()}
_SHARED = ("etc/policy.d", "etc/profiles.d")  # of the host agent: what a first installation starts from


def here() -> str:
    """The architecture of this machine, as Debian calls it."""
    return _MACHINES.get(platform.machine(), platform.machine())


def version() -> str:
    """Of all three distributions: a test keeps them equal."""
    found = tomllib.loads((ROOT / "server" / "pyproject.toml").read_text())["project"]["version"]
    return str(found)


def make(tools: Tools, half: str, root: Path, *, own_python: bool) -> None:
    """Put everything but the byte code of `wand-{half}` below `root`, with mode and place as installed."""
    say(f"tree of wand-{half}")
    home = root / "usr" / "lib" / f"wand-{half}"
    home.mkdir(parents=True)
    _install(tools, half, home, root)
    (home / "__main__.py").write_text(_MAIN.format(half=half))
    if not own_python:
        (home / "bin").mkdir(exist_ok=True)
        (home / "bin" / "python3").symlink_to(f"../../../bin/{Path(tools.python).name}")
    _write(root / "usr" / "bin" / f"wand-{half}", _COMMAND.format(half=half), 0o755)
    _units(half, root)
    _documents(half, root)
    manual.write(half, root / "usr" / "share", version=version(), epoch=tools.epoch)
    if half == "hostagent":
        for path in sorted((ROOT / "packaging" / "libexec").iterdir()):
            _copy(path, home / path.name)
        for name in _SHARED:
            shutil.copytree(
                ROOT / "packaging" / name, root / "usr" / "share" / f"wand-{half}" / Path(name).name
            )


def _install(tools: Tools, half: str, home: Path, root: Path) -> None:
    """Install the lock with every hash checked, and our own two distributions, into one folder."""
    platform_of = ("--python", tools.python, "--python-platform", _platform(tools), "--target", home)
    install = (tools.uv, "pip", "install", "-q", "--no-deps", *platform_of)
    tools.run(*install, "--require-hashes", "--only-binary", ":all:", "-r", LOCKS / f"{half}.txt")
    wheels = root.parent / f"{half}-wheels"
    for member in ("proto", half):
        tools.run(
            os.environ.get("HATCHLING", "hatchling"), "build", "-t", "wheel", "-d", wheels, cwd=ROOT / member
        )
    tools.run(*install, *sorted(wheels.glob("*.whl")))
    shutil.rmtree(home / "bin", ignore_errors=True)
    for folder in [path for path in home.rglob("*") if path.name in _DEAD_FOLDERS and path.is_dir()]:
        shutil.rmtree(folder, ignore_errors=True)
    for path in {path for pattern in _DEAD_FILES for path in home.rglob(pattern)}:
        path.unlink()


def _platform(tools: Tools) -> str:
    return next(value for arch, value in PLATFORMS.items() if f"{value.split('-')[0]}-" in tools.strip)


def _units(half: str, root: Path) -> None:
    """The units of a half: the certificates and the launcher are the host agent's."""
    source, lib = ROOT / "systemd", root / "usr" / "lib"
    for path in units_of(half):
        _copy(path, lib / "systemd" / "system" / path.name)
    for kind in ("sysusers.d", "tmpfiles.d"):
        _copy(source / kind / f"wand-{half}.conf", lib / kind / f"wand-{half}.conf")


def units_of(half: str) -> list[Path]:
    """The unit files that the package of a half brings."""
    found = sorted(path for path in (ROOT / "systemd").glob("wand-*") if path.is_file())
    ours = ("wand-server", "wand-agent")
    return [path for path in found if path.stem.startswith(ours) is (half == "server")]


def _documents(half: str, root: Path) -> None:
    share = root / "usr" / "share"
    doc = share / "doc" / f"wand-{half}"
    _copy(ROOT / "packaging" / "deb" / "copyright", doc / "copyright")
    _zip(ROOT / "CHANGELOG.md", doc / "changelog.gz")


# -- what makes it the same each time ----------------------------------------------------------------------


def settle(tools: Tools, root: Path, half: str) -> None:
    """Strip, compile, and give every file the mode and the time that it has in the package."""
    home = root / "usr" / "lib" / f"wand-{half}"
    objects = [path for path in _files(home) if re.search(r"\.so(\.|$)", path.name)]
    objects = [path for path in objects if not path.is_relative_to(home / "lib")]  # an interpreter's own
    # what auditwheel put beside a module is laid out by patchelf, and strip would break that
    objects = [path for path in objects if not path.parent.name.endswith(".libs")]
    tools.run(tools.strip, "--strip-unneeded", *objects)
    for path in _files(home):
        if path.suffix == ".py":
            _without_interpreter_line(path)
    tools.run(
        *(tools.python, "-I", "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"),
        *("-s", root, "-p", "/", home),
    )
    for path in _files(root):
        executable = path.parent.name == "bin" or path.name in _SCRIPTS
        path.chmod(0o755 if executable else 0o644)
    for path in [root, *root.rglob("*")]:
        os.utime(path, (tools.epoch, tools.epoch), follow_symlinks=False)


def _without_interpreter_line(path: Path) -> None:
    text = path.read_bytes()
    if text.startswith(b"#!"):
        path.write_bytes(b"#" + text[text.find(b"\n") :])


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _zip(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
