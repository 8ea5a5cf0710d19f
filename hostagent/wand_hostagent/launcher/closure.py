"""What a program needs to run: its loader and every library that it loads, found in its file.

A loader runs whatever it can read, so a list of programs is a boundary only where nothing else that could be
run can be read: not a folder of libraries, for programs lie in those too, but each library by itself.
"""

import glob
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wand_hostagent.launcher.refusal import Refused, reason_of

# What C libraries open by themselves, as names in the folders of libraries; and folders of nothing but data.
_OPENED = (
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libnss_compat.so.2",
    "libnss_systemd.so.2",
    "libgcc_s.so.1",
)
DATA = ("/usr/share", "/usr/lib/locale", "/usr/lib/*/gconv", "/usr/lib64/gconv", "/usr/lib/ssl")
_SEVERAL = frozenset(
    {"busybox", "toybox", "coreutils"}
)  # programs that are many, by the name they are called
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3  # PT_*
_NEEDED, _STRINGS, _PATH, _RUN_PATH = 1, 5, 15, 29  # DT_*
_MOST_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Needed:
    """Files that may be executed, and files that may be read."""

    executed: tuple[str, ...]
    read: tuple[str, ...]


@dataclass(slots=True)
class _Image:
    """What an ELF file says of itself."""

    interpreter: str = ""
    needed: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


def of(programs: Iterable[str]) -> Needed:
    """All that these programs need, themselves among it; one that is not on this machine is passed over.

    Raises:
        Refused: none of them is there, or one is a script whose interpreter is not listed.
    """
    programs = [program for program in programs if os.path.isfile(program)]  # noqa: PTH113 - text
    if not programs:
        raise Refused("BrokenPolicy", "programs: none of them is on this machine")
    listed = [os.path.realpath(program) for program in programs]
    executed, libraries = set(listed), set()
    folders = tuple(_library_folders())
    for name, real in zip(programs, listed, strict=True):
        _check(name, real, listed)
        for loader, library in _walk(real, folders):
            executed.add(loader)
            libraries.add(library)
    for name in _OPENED:
        libraries.update(_find(name, folders))
    data = [folder for pattern in DATA for folder in sorted(glob.glob(pattern))]  # noqa: PTH207 - a pattern
    return Needed(tuple(sorted(executed - {""})), tuple(sorted(libraries - {""})) + tuple(data))


def _check(name: str, real: str, listed: list[str]) -> None:
    try:
        with Path(real).open("rb") as file:
            start = file.read(256)
    except OSError as error:
        raise Refused("BrokenPolicy", f"programs: {name}: {reason_of(error.errno or 0)}") from error
    if os.path.basename(real) in _SEVERAL:  # noqa: PTH119 - text
        hint = "list a program that is one program"
        raise Refused("BrokenPolicy", f"programs: {name} is every program of {real}", hint=hint)
    if not start.startswith(b"#!"):
        return
    interpreter = os.fsdecode(start[2:].split(b"\n")[0].strip().split(b" ")[0])
    if os.path.realpath(interpreter) not in listed:
        raise Refused("BrokenPolicy", f"programs: {name} is a script; list {interpreter} too, which runs it")


def _walk(program: str, folders: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each file of the closure, as a loader or as a library; the other one of the pair is empty."""
    waiting, known = [program], {program}
    while waiting:
        path = waiting.pop()
        image = _read(path)
        if image.interpreter:
            loader = os.path.realpath(image.interpreter)
            yield loader, loader
        for name in image.needed:
            origin = os.path.dirname(path)  # noqa: PTH120 - text
            own = [folder.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for folder in image.folders]
            fresh = set(_find(name, (*own, *folders))) - known
            known |= fresh
            waiting += fresh
            yield from (("", library) for library in fresh)


def _find(name: str, folders: Iterable[str]) -> list[str]:
    """Every file that a loader could take for that name, links followed."""
    paths = [name] if "/" in name else [f"{folder}/{name}" for folder in folders]
    return [os.path.realpath(path) for path in paths if os.path.isfile(path)]  # noqa: PTH113 - text


def _library_folders() -> Iterator[str]:
    """The folders in which loaders look, those for newer processors too."""
    plain = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"]
    plain += glob.glob("/usr/lib/*-linux-*") + glob.glob("/lib/*-linux-*")  # noqa: PTH207 - a pattern
    for file in ["/etc/ld.so.conf", *sorted(glob.glob("/etc/ld.so.conf.d/*.conf"))]:  # noqa: PTH207 - a pattern
        try:
            lines = Path(file).read_text("utf-8").splitlines()
        except (OSError, ValueError):
            continue
        plain += [line.strip() for line in lines if line.startswith("/")]
    for folder in dict.fromkeys(plain):
        yield folder
        yield from glob.glob(f"{folder}/glibc-hwcaps/*")  # noqa: PTH207 - a pattern


# -- the file format: elf(5), little-endian, 64 bits ------------------------------------------------------


def _read(path: str) -> _Image:
    """What the file says; nothing where it is no such file."""
    content = Path(path).read_bytes() if Path(path).stat().st_size < _MOST_BYTES else b""
    if content[:6] != b"\x7fELF\x02\x01":
        return _Image()
    try:
        return _parse(content)
    except (struct.error, ValueError, IndexError) as error:
        raise Refused("BrokenPolicy", f"programs: {path} is damaged: {error}") from error


def _parse(content: bytes) -> _Image:
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    image, loads, dynamic = _Image(), [], []
    for index in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", content, table + index * size)
        if kind == _INTERPRETER:
            image.interpreter = os.fsdecode(content[offset : offset + length].rstrip(b"\0"))
        elif kind == _LOAD:
            loads.append((address, offset, length))
        elif kind == _DYNAMIC:
            dynamic = list(struct.iter_unpack("<QQ", content[offset : offset + length // 16 * 16]))
    strings = next((_at(value, loads) for tag, value in dynamic if tag == _STRINGS), 0)
    for tag, value in dynamic:
        if tag in {_NEEDED, _PATH, _RUN_PATH}:
            start = strings + value
            text = os.fsdecode(content[start : content.index(b"\0", start)])
            (image.needed if tag == _NEEDED else image.folders).extend(
                [text] if tag == _NEEDED else text.split(":")
            )
    return image


def _at(address: int, loads: list[tuple[int, int, int]]) -> int:
    """Where in the file that address is loaded from."""
    for start, offset, length in loads:
        if start <= address < start + length:
            return address - start + offset
    raise ValueError("an address that is not loaded")
