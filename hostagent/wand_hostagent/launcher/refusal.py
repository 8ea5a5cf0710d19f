"""The one exception of the launcher that a peer gets to see; the host agent raises it again by `kind`."""

import errno
import os


class Refused(Exception):
    """Why something was not done; `kind` is a class of wand_proto.errors."""

    def __init__(self, kind: str, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint
        self.field = field


_KINDS = {
    errno.ENOENT: "NotFound",
    errno.ENOTDIR: "NotFound",
    errno.EACCES: "Denied",
    errno.EPERM: "Denied",
    errno.EXDEV: "Denied",
    errno.ELOOP: "Denied",
    errno.ENOEXEC: "Invalid",
    errno.E2BIG: "Invalid",
    errno.ENAMETOOLONG: "Invalid",
    errno.ENOMEM: "Exhausted",
    errno.EAGAIN: "Exhausted",
    errno.EMFILE: "Exhausted",
    errno.ENFILE: "Exhausted",
    errno.ENOSPC: "Exhausted",
    errno.EDQUOT: "Exhausted",
    errno.EFBIG: "Exhausted",
    errno.ETOOMANYREFS: "Exhausted",
}


def kind_of(number: int) -> str:
    """The class of wand_proto.errors that tells most about an errno."""
    return _KINDS.get(number, "Broken")


def reason_of(number: int) -> str:
    """An errno as its name and its words: `EACCES, Permission denied`."""
    return f"{errno.errorcode.get(number, number)}, {os.strerror(number)}"
