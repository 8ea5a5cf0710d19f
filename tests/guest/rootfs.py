"""The file system of a guest: a small Debian 12 with systemd, made once by mmdebstrap and kept."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

# What a server of an administrator has at least; nothing of ours, and no compiler.
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "python3.11", "ca-certificates", "init-system-helpers", "iproute2",
    "libnss-myhostname", "sudo", "libstdc++6",
)  # fmt: skip
SUITE = "bookworm"  # the suite of this machine's sources, and of guests
NEXT = "trixie"  # which has no Python 3.11
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")


class Absent(Exception):
    """What is needed cannot be had on this machine; the text says what."""


def cache() -> Path:
    """Where file systems of guests are kept from one run to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wand" / "guest"


def root(suite: str = SUITE) -> Path:
    """The unpacked file system, which nobody may change: guests lay a layer of their own over it.

    Raises:
        Absent: it is not there yet, and cannot be made.
    """
    packages = [name for name in PACKAGES if suite == SUITE or name != "python3.11"]
    key = hashlib.sha256("\0".join((suite, *packages, *_LEFT_OUT)).encode()).hexdigest()[:16]
    there = cache() / key
    if there.is_dir():
        return there
    if shutil.which("mmdebstrap") is None:
        raise Absent("mmdebstrap is needed: apt-get install mmdebstrap")
    fresh = cache() / f"{key}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    cache().mkdir(parents=True, exist_ok=True)
    sources = cache() / f"{key}.sources"
    sources.write_text(_sources().replace(SUITE, suite))
    argv = [
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"),
        *(f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT),
        *(suite, str(fresh), str(sources)),
    ]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise Absent(f"mmdebstrap: {done.stderr.strip()[-400:]}")
    return fresh.rename(there)


def _sources() -> str:
    """Where this machine gets packages of its distribution from."""
    if not _SOURCES.exists():
        raise Absent(f"guests are made by {_SOURCES}, which is not there")
    return _SOURCES.read_text()
