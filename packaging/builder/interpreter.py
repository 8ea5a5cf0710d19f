"""An interpreter that a package brings along, for systems without Python 3.11: Debian's, with its libraries.

It lies in the folder of the half, as PREFIX/bin and PREFIX/lib/python3.11, its libraries beside it.
Whoever gives out such a package has to follow Debian's security updates of what is in it.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from builder.tools import Failed, Tools, say

# What is taken, and of each which files; the libraries are those that its modules are linked with.
_PROGRAM, _STANDARD = "python3.11-minimal", ("libpython3.11-minimal", "libpython3.11-stdlib")
_LIBRARIES = (
    "libssl3", "libsqlite3-0", "libffi8", "libexpat1", "zlib1g", "libbz2-1.0", "liblzma5", "libuuid1",
)  # fmt: skip
_LEFT_OUT = (
    "test", "idlelib", "lib2to3", "ensurepip", "turtledemo", "tkinter", "distutils", "pydoc_data",
    "__pycache__",
)  # fmt: skip
# Modules whose libraries we do not bring: nothing of ours edits lines, draws on terminals or asks NIS.
_DEAD_MODULES = ("readline", "_curses", "_curses_panel", "_dbm", "_gdbm", "nis", "_tkinter")
_OWN = "own"  # the folder of the libraries, in PREFIX/lib


def bring(tools: Tools, arch: str, prefix: Path) -> None:
    """Put the interpreter and its standard library below `prefix`.

    Raises:
        Failed: apt-get or patchelf is missing, or has it not.
    """
    say("interpreter")
    patchelf = shutil.which("patchelf")
    if patchelf is None:
        raise Failed("patchelf is needed and not here: apt-get install patchelf")
    place = prefix.parents[2] / "interpreter"
    place.mkdir()
    _unpack(tools, arch, place)
    (prefix / "bin").mkdir(exist_ok=True)
    program = prefix / "bin" / "python3"
    shutil.copy(place / "usr" / "bin" / "python3.11", program)
    standard = prefix / "lib" / "python3.11"
    shutil.copytree(place / "usr" / "lib" / "python3.11", standard, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    own = prefix / "lib" / _OWN
    own.mkdir()
    for path in _shared(place):
        shutil.copy(path, own / path.name, follow_symlinks=True)
    for dead in _DEAD_MODULES:
        for path in (standard / "lib-dynload").glob(f"{dead}.*.so"):
            path.unlink()
    tools.run(patchelf, "--set-rpath", f"$ORIGIN/../lib/{_OWN}", program)
    for path in sorted((standard / "lib-dynload").glob("*.so")):
        tools.run(patchelf, "--set-rpath", f"$ORIGIN/../../{_OWN}", path)
    for path in sorted(own.iterdir()):
        tools.run(patchelf, "--set-rpath", "$ORIGIN", path)
    shutil.rmtree(place)


def _unpack(tools: Tools, arch: str, place: Path) -> None:
    for name in (_PROGRAM, *_STANDARD, *_LIBRARIES):
        tools.run("apt-get", "download", "-qq", f"{name}:{arch}", cwd=place)
    for path in sorted(place.glob("*.deb")):
        tools.run("dpkg-deb", "-x", path, place)
        path.unlink()


def _shared(place: Path) -> Iterator[Path]:
    """The libraries, by the names under which they are looked for."""
    for folder in (*place.glob("usr/lib/*-linux-gnu"), *place.glob("lib/*-linux-gnu")):
        yield from (path for path in sorted(folder.glob("lib*.so.*")) if _is_name(path))


def _is_name(path: Path) -> bool:
    """Whether it is a name that programs ask for, libssl.so.3, and not only a version of a file."""
    return (
        path.name.partition(".so.")[2].count(".") < 2
        and path.name.partition(".so.")[2].split(".")[0].isdigit()
    )
