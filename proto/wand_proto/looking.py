"""What both doctors look at: certificates, keys, disks, sockets, ports and the clock."""

import ctypes
import errno
import os
import platform
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wand_proto import certificate, credentials
from wand_proto.findings import Finding, good, missing, note

SOON = timedelta(days=14)
LINUX = (5, 13)  # the first with Landlock; tried are 6.1 and newer
_MIB = 1024 * 1024
_TIMEX_BYTES, _TIME_ERROR = 1024, 5  # more than struct timex has; adjtimex(2)
_CONNECT_SECONDS = 2.0


def validity(path: Path, now: datetime, renew: str) -> Finding:
    """Whether a PEM file's first certificate is good, and how long yet; `renew` says how to get another."""
    try:
        since, until = certificate.dates(ssl.PEM_cert_to_DER_cert(first_pem(path)))
    except OSError as error:
        return missing("certificate", f"{path} cannot be read: {error.strerror}", renew)
    except (ValueError, IndexError):
        return missing("certificate", f"{path} is no certificate in PEM form", renew)
    if now < since:
        says = f"{path} is good from {since:%Y-%m-%d %H:%M} UTC only, and here it is {now:%Y-%m-%d %H:%M}"
        return missing("certificate", says, "set the clock, or make another")
    if now >= until:
        return missing("certificate", f"{path} ended on {until:%Y-%m-%d}", renew)
    says = f"{path} ends in {(until - now).days} days"
    return good("certificate", says) if until - now > SOON else note("certificate", says, renew)


def first_pem(path: Path) -> str:
    """The first certificate in a PEM file, as text; the file's whole text where there is none."""
    text = path.read_text("ascii")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    start, stop = text.find(begin), text.find(end)
    return text[start : stop + len(end)] if 0 <= start < stop else text


def secrecy(path: Path) -> Finding:
    """Whether nobody but its owner, and perhaps a group, can read a key, or write it."""
    try:
        about = path.stat()
    except OSError as error:
        hint = (
            "run this as root" if error.errno == errno.EACCES else "make it, or name another in the settings"
        )
        return missing("key", f"{path} cannot be looked at: {error.strerror}", hint)
    mode = stat.S_IMODE(about.st_mode)
    says = f"{path} belongs to user {about.st_uid}, with mode {mode:04o}"
    if mode & (stat.S_IRWXO | stat.S_IWGRP) and not credentials.is_credential(path):
        return missing("key", says, f"chmod g-w,o-rwx {path}")
    return good("key", says)


def room(folder: Path, wanted_bytes: int) -> Finding:
    """Whether there is as much room on the disk of a folder as may be needed."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
    found = os.statvfs(there)
    free, left = found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None
    return roominess(folder, free, left, wanted_bytes)


def roominess(folder: Path, free_bytes: int, free_files: int | None, wanted_bytes: int) -> Finding:
    """The same of figures; `free_files` is None where a file system has no such bound."""
    says = f"{free_bytes // _MIB} MiB free for {folder}"
    if free_bytes < 64 * _MIB or (free_files is not None and free_files < 1000):
        few = "" if free_files is None else f", {free_files} files"
        return missing("disk", says + few, "make room: when the disk is full, the work stops")
    if free_bytes < wanted_bytes:
        wanted = f"make room: {wanted_bytes // _MIB} MiB may be needed, or lower what is kept in the settings"
        return note("disk", says, wanted)
    return good("disk", says)


def clock() -> Finding:
    """Whether the kernel believes the clock: adjtimex(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if 0 <= state < _TIME_ERROR:
        return good("clock", f"{now}, kept by a time server")
    why = "not kept by a time server" if state == _TIME_ERROR else os.strerror(ctypes.get_errno())
    return note("clock", f"{now}, {why}", "timedatectl set-ntp true; certificates and tokens go by the clock")


def linux() -> Finding:
    """Whether the kernel is one that Wand is made for."""
    release = platform.release()
    parts = tuple(int(part) if part.isdigit() else 0 for part in release.partition("-")[0].split(".")[:2])
    says = f"Linux {release} on {platform.machine()}"
    return (
        good("system", says) if parts >= LINUX else note("system", says, "Linux 5.13 or newer has Landlock")
    )


def answers(path: Path) -> bool | None:
    """Whether somebody accepts at a unix socket: None where this user may not ask."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as tried:
            tried.settimeout(_CONNECT_SECONDS)
            try:
                tried.connect(str(path))
            except PermissionError:
                return None
            except OSError as error:
                if error.errno == errno.EPROTOTYPE:
                    continue
                return False
            return True
    return False


def is_free(host: str, port: int) -> str:
    """Nothing where a TCP port can be listened on, else why not."""
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][
            0
        ]
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
            tried.listen(1)
    except OSError as error:
        return error.strerror or str(error)
    return ""
