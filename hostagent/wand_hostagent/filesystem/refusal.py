"""How the worker says no: a class of `wand_proto.errors` by name, so that nothing of it is loaded here."""

import errno


class Refused(Exception):
    """The answer is no, or not so; `kind` is the name of a class of wand_proto.errors."""

    def __init__(self, kind: str, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint
        self.field = field


_BY_ERRNO = {
    errno.ENOENT: ("NotFound", "does not exist"),
    errno.EACCES: ("Denied", "is denied by the system to the user as whom the file tools run"),
    errno.EPERM: ("Denied", "is denied by the system to the user as whom the file tools run"),
    errno.EROFS: ("Denied", "lies on a file system that is read only"),
    errno.ENOTDIR: ("NotFound", "has a part that is no folder"),
    errno.EISDIR: ("Invalid", "is a folder"),
    errno.EEXIST: ("Conflict", "exists already"),
    errno.ENAMETOOLONG: ("Invalid", "has a name that is too long"),
    errno.EINVAL: ("Invalid", "has a name that the file system does not take"),
    errno.ELOOP: ("Denied", "leads through links without end, or was swapped for a link"),
    errno.EXDEV: ("Denied", "leads out of the permitted folders"),
    errno.ETXTBSY: ("Conflict", "is a program that runs"),
    errno.ENXIO: ("Invalid", "is a special file"),
    errno.ENOSPC: ("Exhausted", "does not fit: the disk is full"),
    errno.EDQUOT: ("Exhausted", "does not fit: the quota is used up"),
    errno.EFBIG: ("Exhausted", "would be larger than a file may be"),
    errno.EMFILE: ("Exhausted", "cannot be opened: too many files are open"),
    errno.ENFILE: ("Exhausted", "cannot be opened: too many files are open"),
}


def from_system(error: OSError, shown: str) -> Refused:
    """What the system said of the path `shown`, in our words."""
    kind, says = _BY_ERRNO.get(error.errno or 0, ("Broken", f"failed: {error.strerror or error}"))
    return Refused(kind, f"{shown} {says}", field="path")
