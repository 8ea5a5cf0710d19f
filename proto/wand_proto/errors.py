"""The one family of errors, raised on one side of the wire and caught by the same name on the other.

    WandError
    ├── Invalid           what was asked cannot be read; names the field
    ├── Unauthenticated   nobody knows who asks
    ├── Denied            policy, or the system, says no; the hint says what is permitted
    │   ├── NeedsApproval a person must say yes first; ask again, unchanged, when they have
    │   └── BrokenPolicy  the policy cannot be read; until it can, everything is denied
    ├── NotFound          no such file, program, job, tool
    ├── Conflict          the world is not as the caller believed (exists already, has changed)
    ├── Exhausted         a ceiling is reached: jobs, bytes, disk
    ├── TimedOut          no answer within the deadline; the act was stopped
    ├── Unavailable       a part of Wand cannot be reached; nothing was done
    ├── Ambiguous         the link broke in the middle; what was done cannot be known
    └── Broken            a defect or a failure of ours

Each class has one status code of gRPC on the wire, and travels with its message, hint and field.
"""

import json
from collections.abc import Iterable
from typing import ClassVar

METADATA_KEY = "wand-error-bin"
_TEXT_CEILING = 4096  # characters of a message or hint on the wire: HTTP/2 headers have a ceiling of 8 KiB


class WandError(Exception):
    """Something that a caller can be told: what happened to whom, and what to do."""

    code: ClassVar[str] = "UNKNOWN"  # a name in grpc.StatusCode

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        return f"{where}{self.message} ({self.hint})" if self.hint else f"{where}{self.message}"


class Invalid(WandError):
    """What was asked cannot be read; `field` names the part that is wrong."""

    code = "INVALID_ARGUMENT"


class Unauthenticated(WandError):
    """Nobody knows who asks."""

    code = "UNAUTHENTICATED"


class Denied(WandError):
    """Policy, or the system, says no; `hint` says what is permitted."""

    code = "PERMISSION_DENIED"


class NeedsApproval(Denied):
    """A person must say yes first; the hint says how, and the same can be asked again."""


class BrokenPolicy(Denied):
    """The policy cannot be read; until it can, everything is denied."""


class NotFound(WandError):
    """No such file, program, job or tool."""

    code = "NOT_FOUND"


class Conflict(WandError):
    """The world is not as the caller believed: it exists already, or has changed."""

    code = "FAILED_PRECONDITION"


class Exhausted(WandError):
    """A ceiling is reached: jobs, bytes, disk. Nothing was done."""

    code = "RESOURCE_EXHAUSTED"


class TimedOut(WandError):
    """No answer within the deadline; the act was stopped."""

    code = "DEADLINE_EXCEEDED"


class Unavailable(WandError):
    """A part of Wand cannot be reached. Nothing was done."""

    code = "UNAVAILABLE"


class Ambiguous(WandError):
    """The link broke in the middle; what was done cannot be known from here."""

    code = "ABORTED"


class Broken(WandError):
    """A defect or a failure of ours."""

    code = "INTERNAL"


FAMILY: dict[str, type[WandError]] = {
    kind.__name__: kind
    for kind in (
        Invalid, Unauthenticated, Denied, NeedsApproval, BrokenPolicy, NotFound, Conflict,
        Exhausted, TimedOut, Unavailable, Ambiguous, Broken,
    )
}  # fmt: skip
_BY_CODE = {kind.code: kind for kind in reversed(FAMILY.values())}


def named(kind: str, message: str, *, hint: str = "", field: str = "") -> WandError:
    """The error of that class name; an unknown name is a Broken."""
    return FAMILY.get(kind, Broken)(message, hint=hint, field=field)


def to_metadata(error: WandError) -> tuple[tuple[str, bytes], ...]:
    """The error as trailing metadata of a gRPC call."""
    parts = {
        "kind": type(error).__name__,
        "message": error.message[:_TEXT_CEILING],
        "hint": error.hint[:_TEXT_CEILING],
        "field": error.field[:256],
    }
    packed = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)  # an escape takes up to 12 bytes
    return ((METADATA_KEY, packed.encode("utf-8", "replace")),)


def from_wire(code: str, details: str, metadata: Iterable[tuple[str, str | bytes]]) -> WandError:
    """The error that the other side raised; without its metadata, the nearest by status code."""
    for key, value in metadata:
        if key == METADATA_KEY:
            return _from_metadata(value, code, details)
    return _BY_CODE.get(code, Broken)(details or code)


def _from_metadata(untrusted: str | bytes, code: str, details: str) -> WandError:
    try:
        parts = json.loads(untrusted)
        kind, message, hint, field = (str(parts[name]) for name in ("kind", "message", "hint", "field"))
    except (ValueError, KeyError, TypeError):
        return _BY_CODE.get(code, Broken)(details or code)
    return named(kind, message, hint=hint, field=field)
