"""The files of the ledger: how they are opened, begun, kept and held against a second launcher."""

import errno
import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from wand_hostagent.launcher.ledgerkey import FILE as KEY_FILE
from wand_hostagent.launcher.refusal import Refused, reason_of

FILE = "ledger.jsonl"
COMING = "ledger.coming"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LOCK_SECONDS = 3.0  # the children of a killed launcher hold its lock until they are dead too


def kept_name(first_seq: int) -> str:
    """The name of a file that is no longer written to."""
    return f"ledger-{first_seq:012}.jsonl"


def open_file(folder: Path) -> int:
    """The file that is written to, made where there is none.

    Raises:
        Refused: it cannot be opened, or another could have written it, or its keys are gone.
    """
    path = folder / FILE
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, flags, 0o600)
        keep_name(folder)
    except OSError as error:
        raise Refused("Broken", f"{path} cannot be opened: {reason_of(error.errno or 0)}") from error
    about = os.fstat(descriptor)
    wrong = ""
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        wrong = f"{path} must be a file of the launcher's own user with mode 0600"
    elif about.st_size and not (folder / KEY_FILE).exists():
        wrong = f"{path} has no {KEY_FILE} beside it"
    if wrong:
        os.close(descriptor)
        raise Refused("Broken", wrong, hint="move it aside; the launcher then begins anew")
    return descriptor


def begin(path: Path, line: bytes) -> int:
    """Another file with its first line, durable. Raises OSError."""
    with suppress(FileNotFoundError):
        path.unlink()
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    except OSError:
        os.close(descriptor)
        path.unlink()
        raise
    return descriptor


def refusal(path: str, number: int, *, broken: bool) -> Refused:
    """What a write that failed with that error number means for what was asked."""
    if number in FULL and not broken:
        return Refused(
            "Exhausted",
            f"the ledger cannot be written, so nothing is done: {reason_of(number)}",
            hint=f"make room for {path}",
        )
    return Refused("Broken", f"the ledger cannot be written: {reason_of(number)}")


def put_aside(descriptor: int, kept: Path, coming: Path) -> None:
    """Keep the file under that name, and let the one that comes have its own. Raises OSError."""
    path = kept.with_name(FILE)
    link(str(path), kept)
    coming.rename(path)
    os.fchmod(descriptor, 0o400)  # not before, or a crash would leave what we cannot open
    keep_name(kept.parent)


def link(path: str, kept: Path) -> None:
    """Give the file the name under which it is kept, too. Raises OSError."""
    try:
        os.link(path, kept)
    except FileExistsError:
        if not kept.samefile(path):  # an earlier try came so far
            raise


def keep_name(folder: Path) -> None:
    """Make durable that a file is there at all: fsync(2) of a file does not say so of its folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(descriptor: int, path: str) -> None:
    """Hold the ledger alone.

    Raises:
        Refused: another launcher holds it.
    """
    give_up = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() > give_up:
                raise Refused("Conflict", f"another launcher writes {path}", hint="stop it first") from error
            time.sleep(0.02)
        else:
            return
