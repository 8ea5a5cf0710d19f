"""Who asks, and under which request: carried beside every call as metadata, and into every log line."""

import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from wand_proto.errors import Invalid

REQUEST_ID: ContextVar[str] = ContextVar("wand_request_id", default="")

_KEYS = {
    "principal": "wand-principal-bin",
    "client": "wand-client-bin",
    "on_behalf_of": "wand-on-behalf-of-bin",
    "groups": "wand-groups-bin",
    "request_id": "wand-request-id",
    "traceparent": "traceparent",
    "agent": "wand-agent-bin",
    "model": "wand-model-bin",
    "task": "wand-task",
    "credential": "wand-credential-bin",
}
_NAMES = {key: name for name, key in _KEYS.items()}
_CEILING = 256
_ID_BYTES, _IDS_AT_ONCE = 8, 256
_drawn: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the principal that signed in, and what is known of the program and person behind it."""

    principal: str
    request_id: str
    client: str = ""  # the MCP client's own name and version; a claim, never a proof
    agent: str = ""  # the agent behind the client, and its model, where it tells; claims as well
    model: str = ""
    credential: str = ""  # which of the principal's keys, tokens or certificates it was: an id, no secret
    task: str = ""  # the task that the server carries out with this call; no claim of a client's
    on_behalf_of: str = ""
    groups: tuple[str, ...] = ()  # that the principal signed in with; no name holds a comma
    traceparent: str = ""  # W3C Trace Context
    peer: str = ""  # the URI in the server's certificate; set by the host agent, never by metadata


def new_request_id() -> str:
    """An id that no other request has: 16 hexadecimal digits."""
    if not _drawn:  # the kernel is asked for many at once: to ask costs more than an id is worth
        digits = secrets.token_hex(_ID_BYTES * _IDS_AT_ONCE)
        _drawn.extend(digits[at : at + 2 * _ID_BYTES] for at in range(0, len(digits), 2 * _ID_BYTES))
    return _drawn.pop()


def to_metadata(caller: Caller) -> tuple[tuple[str, str | bytes], ...]:
    """The caller as metadata of a gRPC call; free text travels as UTF-8 bytes."""
    told: list[tuple[str, str | bytes]] = []
    for name, key in _KEYS.items():
        text = getattr(caller, name)
        if name == "groups":
            text = ",".join(text)
        if text:
            told.append((key, text.encode() if key.endswith("-bin") else text))
    return tuple(told)


def of_request(request_id: str, traceparent: str, task: str) -> tuple[tuple[str, str], ...]:
    """What differs from call to call of the same party, as `to_metadata` tells it."""
    told = (("request_id", request_id), ("traceparent", traceparent), ("task", task))
    return tuple([(_KEYS[name], text) for name, text in told if text])


def from_metadata(untrusted: Iterable[tuple[str, str | bytes]], *, peer: str) -> Caller:
    """Read the caller from a call's metadata, or raise Invalid naming what is missing or wrong."""
    found: dict[str, str] = {}
    for key, value in untrusted:
        if (name := _NAMES.get(key)) is None:
            continue
        if name in found:
            raise Invalid("appears twice", field=key)
        found[name] = _text(key, value)
    for name in ("principal", "request_id"):
        if not found.get(name):
            raise Invalid("is missing from the call's metadata", field=_KEYS[name])
    groups = found.pop("groups", "")
    return Caller(peer=peer, groups=tuple(filter(None, groups.split(","))) if groups else (), **found)


def _text(key: str, value: str | bytes) -> str:
    try:
        text = value if isinstance(value, str) else value.decode()
    except UnicodeDecodeError as error:
        raise Invalid("is not UTF-8", field=key) from error
    most = _CEILING * (16 if key == _KEYS["groups"] else 1)
    if len(text) > most or not text.isprintable():
        raise Invalid(f"must be at most {most} printable characters", field=key)
    return text
