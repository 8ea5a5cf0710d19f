"""The closed table of what may be said on the launcher's socket; both ends read it here.

The socket is SOCK_SEQPACKET: one message a datagram, a JSON object in UTF-8, descriptors beside it
(SCM_RIGHTS, unix(7)). The launcher knows its peer by SO_PEERCRED and trusts no field: what is unknown,
missing, too long or of another type is refused by name, and a peer that sends no JSON at all is dropped.

Requests, host agent to launcher; each has `do`, and `re`, a number that its answer repeats:

    run       job profile argv directory environment limits why     descriptors: stdin stdout stderr
                                                                     and, to be kept for a later host agent,
                                                                     the read ends of stdout and stderr
              and terminal, its columns and rows                     or a pair of connected sockets: by the
                                                                     first the terminal's master is sent, the
                                                                     second is kept
    worker    job profile why                                        descriptors: one end of a stream socket
    kill      job signal reason
    record    event fields                                           a line for the ledger, and nothing else
    note      event fields                                           the same, but it may wait a moment
              and quiet, true                                        without an answer
    jobs
    adopt     job                                                    the answer brings the kept read ends
    forget    job                                                    an ended job's report has been taken
              and quiet, true                                        without an answer, if that is done
    profiles

Answers and events, launcher to host agent; each has `say`:

    started   re job pid limits directory program
              and exited, where it has ended already                 the whole of that message
    done      re                                                     of kill, record (durable), note, forget
    jobs      re jobs                                                commands, running or not forgotten; each
                                                                     has job profile argv directory limits why
                                                                     started_unix_seconds running
    adopted   re job                                                 descriptors: stdout and stderr, to read,
                                                                     or the socket with a terminal's master
    profiles  re profiles guarantees default                         each profile has name workspace path
                                                                     directories read_only run_as limits
                                                                     principals;
                                                                     each guarantee has name enforced detail
    failed    re kind message hint field                             kind is a class of wand_proto.errors
    exited    job reason exit_code signal wall_seconds cpu_seconds peak_memory_bytes also
              sent once to whoever is connected and has not heard it in `started`, and again to whoever
              connects, until `forget`
"""

import json
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any, NamedTuple, TypeGuard

from wand_hostagent.launcher import jsontext
from wand_hostagent.launcher.sha256 import hash_of

MESSAGE_BYTES = 160 * 1024  # below the kernel's default ceiling for one datagram (net.core.wmem_default)
MAX_DESCRIPTORS = 5
MAX_WORDS = 1024
MAX_TEXT = 64 * 1024
MAX_NAME = 128
MAX_PRINCIPAL = 256
LIMIT_NAMES = frozenset(
    {
        "wall_seconds",
        "memory_bytes",
        "cpu_seconds",
        "processes",
        "open_files",
        "file_size_bytes",
        "output_bytes",
        "disk_bytes",
        "cpu_percent",
    }
)
KILL_REASONS = frozenset({"cancelled", "output_limit", "signal"})


_encoded = jsontext.encoder(ascii_alone=False, sort_keys=False)
_decoder: Any = json.JSONDecoder()
_decoded, _scanned = _decoder.decode, _decoder.scan_once
_NUMBERS = int | float  # to make it costs more than to ask for it


class Unreadable(Exception):
    """A message that cannot be read; `field` names the part that is wrong."""

    def __init__(self, field: str, wrong: str) -> None:
        super().__init__(f"{field}: {wrong}")
        self.field = field
        self.wrong = wrong


def _text(most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= most and "\0" not in value


_long = _text(MAX_TEXT)


def _words(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= MAX_WORDS and all(map(_long, value))


def _environment(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MAX_WORDS
        and all(_long(name) and name and "=" not in name and _long(text) for name, text in value.items())
    )


def _limits(value: Any) -> bool:
    return isinstance(value, dict) and all(
        name in LIMIT_NAMES and _number(amount) and amount > 0 for name, amount in value.items()
    )


def _number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool) and abs(value) < 2**63


def is_count(value: Any) -> TypeGuard[int]:
    """Whether it is a number that can count something, or tell one request from another."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _reason(value: Any) -> bool:
    return isinstance(value, str) and value in KILL_REASONS


def _facts(value: Any) -> bool:
    """A flat object for the ledger: text, numbers, lists of text."""
    return isinstance(value, dict) and len(value) <= 64 and all(map(_fact, value.values()))


def _fact(value: Any) -> bool:
    return _long(value) or value is None or _number(value) or isinstance(value, bool) or (
        isinstance(value, list) and len(value) <= MAX_WORDS and all(map(_long, value))
    )  # fmt: skip


def _terminal(value: Any) -> bool:
    """Columns and rows, as many as struct winsize can say."""
    return (
        isinstance(value, dict)
        and value.keys() == {"columns", "rows"}
        and all(is_count(amount) and 0 < amount < 2**16 for amount in value.values())
    )


def _yes(value: Any) -> bool:
    return value is True


NARROW = ("none", "loopback")  # networks that a job may have instead of a wider one of its profile
_NAME = _text(MAX_NAME)
_KEPT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_MAX_FOLDER = 200
REQUESTS: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "run": {
        "job": _NAME, "profile": _NAME, "argv": _words, "directory": _text(4096),
        "environment": _environment, "limits": _limits, "why": _facts,
    },
    "worker": {"job": _NAME, "profile": _NAME, "why": _facts},
    "kill": {"job": _NAME, "signal": is_count, "reason": _reason},
    "record": {"event": _NAME, "fields": _facts},
    "note": {"event": _NAME, "fields": _facts},
    "jobs": {},
    "adopt": {"job": _NAME},
    "forget": {"job": _NAME},
    "profiles": {},
    "ledger": {},
}  # fmt: skip
OPTIONAL: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "run": {"terminal": _terminal, "network": lambda value: value in NARROW},
    "ledger": {"before": is_count},
    "note": {"quiet": _yes},
    "forget": {"quiet": _yes},
}
_TABLES = {
    (do, some): {**REQUESTS[do], **{name: optional[name] for name in some}}
    for do, optional in OPTIONAL.items()
    for count in range(len(optional) + 1)
    for some in combinations(optional, count)
}
DESCRIPTORS: Mapping[str, tuple[int, ...]] = {"run": (3, 5), "worker": (1,)}  # how many may come; else none
_WITH_TERMINAL, _NO_DESCRIPTORS = (2,), (0,)
_MISSING = object()
_ALWAYS = frozenset({"do", "re"})


class Request(NamedTuple):
    """One request, every field checked for type and size; what it means is checked by who serves it."""

    do: str
    re: int
    fields: Mapping[str, Any]


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as one datagram; raises Unreadable where it is larger than the socket carries."""
    packed = _encoded(message).encode("utf-8", "surrogatepass")
    if len(packed) > MESSAGE_BYTES:
        raise Unreadable("message", f"has {len(packed)} bytes; the most is {MESSAGE_BYTES}")
    return packed


def decode(untrusted: bytes | memoryview) -> dict[str, Any]:
    """A datagram as an object, its fields not yet looked at."""
    try:
        message = _value(str(untrusted, "utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("message", "is not JSON") from error
    if not isinstance(message, dict):
        raise Unreadable("message", "is not an object")
    return message


def _value(text: str) -> Any:
    """The value that a text is; raises ValueError where it is none."""
    try:
        value, end = _scanned(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else _decoded(text)  # which sees to what stands around it, too


def read_request(untrusted: Mapping[str, Any], descriptors: int) -> Request:
    """Read a request whole, or raise Unreadable naming the field that is wrong."""
    do, re = untrusted.get("do"), untrusted.get("re")
    if not is_count(re):
        raise Unreadable("re", "must be a number that the answer repeats")
    if not isinstance(do, str) or do not in REQUESTS:
        raise Unreadable("do", f"must be one of {', '.join(REQUESTS)}")
    table = _table(do, untrusted)
    may_come = _WITH_TERMINAL if "terminal" in table else DESCRIPTORS.get(do, _NO_DESCRIPTORS)
    if len(untrusted) == len(table) + len(_ALWAYS) and descriptors in may_come:
        fields = _plain(untrusted, table)
        if fields is not None:
            return Request(do, re, fields)
    _tell_wrong(do, untrusted, table)
    raise Unreadable("descriptors", f"{descriptors} came with {do}")


def _table(do: str, untrusted: Mapping[str, Any]) -> Mapping[str, Callable[[Any], bool]]:
    """The fields of this request: those that it must have, and of the others those that it has."""
    optional = OPTIONAL.get(do)
    return _TABLES[do, tuple([name for name in optional if name in untrusted])] if optional else REQUESTS[do]


def _plain(untrusted: Mapping[str, Any], table: Mapping[str, Callable[[Any], bool]]) -> dict[str, Any] | None:
    """The fields of a request that has these and no others; None where it is not as plain as that."""
    fields = {}
    for name, fits in table.items():
        value = untrusted.get(name, _MISSING)
        if value is _MISSING or not fits(value):
            return None
        fields[name] = value
    return fields


def _tell_wrong(do: str, untrusted: Mapping[str, Any], table: Mapping[str, Callable[[Any], bool]]) -> None:
    """Raise Unreadable for the field that is wrong, too many or missing, if one is."""
    for name in untrusted.keys() - table.keys() - _ALWAYS:
        raise Unreadable(name[:MAX_NAME], f"is not a field of {do}")
    for name, fits in table.items():
        if name not in untrusted:
            raise Unreadable(name, "is missing")
        if not fits(untrusted[name]):
            raise Unreadable(name, "is not of the right type or size")


def folder_of(principal: str) -> str:
    """What a principal's own folder is called, where a profile has one for each: no two have the same."""
    kept = (
        chr(byte) if chr(byte) in _KEPT else f"={byte:02X}"
        for byte in principal.encode("utf-8", "surrogatepass")
    )
    name = "".join(kept)
    name = f"=2E{name[1:]}" if name.startswith(".") else name
    if len(name) <= _MAX_FOLDER:
        return name or "=="
    digest = hash_of(name.encode())
    return f"{name[: _MAX_FOLDER - 66]}=={digest}"
