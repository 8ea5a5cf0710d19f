"""A first file system for a kernel: an archive in the form of cpio(5), "newc"."""

import stat
from collections.abc import Mapping

_END = "TRAILER!!!"


def archive(files: Mapping[str, bytes]) -> bytes:
    """An archive of these files, all of which may be run, and of the folders that they lie in."""
    folders = sorted({parent for name in files for parent in _parents(name)})
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in folders]
    entries += [(name, stat.S_IFREG | 0o755, content) for name, content in files.items()]
    entries.append((_END, 0, b""))
    return b"".join(_entry(number, *entry) for number, entry in enumerate(entries, 1))


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _entry(number: int, name: str, mode: int, content: bytes) -> bytes:
    path = name.encode() + b"\0"
    #        ino     mode  uid gid links mtime size        device, special
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + path) + _padded(content)


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)
