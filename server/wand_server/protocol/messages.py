"""One JSON-RPC message from bytes, or what is wrong with it; and back to bytes."""

import re
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from wand_server.protocol import members
from wand_server.protocol.failures import INVALID_REQUEST, PARSE_ERROR, MessageId, ProtocolFailure

BYTES_CEILING = 4 * 1024 * 1024
DEPTH_CEILING = 128  # arrays and objects inside one another; the parser itself stops at 200
CONTAINERS_CEILING = 100_000  # arrays and objects: a million in four megabytes are seconds of work
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)  # a last one that does not end is one too
_LINE_ENDS = tuple(
    (chr(code).encode(), b"\\u%04x" % code) for code in (0x85, 0x2028, 0x2029)
)  # others JSON escapes


class Request(NamedTuple):
    """Wants an answer under its id; a tuple with names, for every call makes one."""

    id: str | int
    method: str
    params: dict[str, Any] | None


class Notification(NamedTuple):
    """Wants no answer."""

    method: str
    params: dict[str, Any] | None


class Response(NamedTuple):
    """Answers a request of ours."""

    id: MessageId
    body: dict[str, Any]


Message = Request | Notification | Response


def read(untrusted: bytes) -> Message:
    """Read a message.

    Raises:
        ProtocolFailure: it is no JSON, too deep, too full, a batch, ambiguous, or no message of JSON-RPC 2.0.
    """
    if _is_too_full(untrusted):
        message = f"Parse error: there are more than {CONTAINERS_CEILING} arrays and objects"
        raise ProtocolFailure(PARSE_ERROR, message)
    try:
        body = from_json(untrusted, allow_inf_nan=False)
    except ValueError as why:
        raise ProtocolFailure(PARSE_ERROR, f"Parse error: the body is not JSON ({why})") from why
    if isinstance(body, list):
        raise ProtocolFailure(INVALID_REQUEST, "batches are not supported: send one message at a time")
    if not isinstance(body, dict):
        raise ProtocolFailure(INVALID_REQUEST, "the body must be one JSON-RPC object")
    try:
        members.check(body, untrusted, DEPTH_CEILING + 1)  # the body is one
    except members.Deep as why:
        message = f"Parse error: nested deeper than {DEPTH_CEILING} levels"
        raise ProtocolFailure(PARSE_ERROR, message) from why
    except members.Twice as why:
        raise ProtocolFailure(
            INVALID_REQUEST, f"the member {str(why)!r:.80} stands twice in one object"
        ) from why
    return _message(body)


def _is_too_full(untrusted: bytes) -> bool:
    """Whether there are too many arrays and objects; texts are left out only where that matters."""
    if untrusted.count(b"[") + untrusted.count(b"{") <= CONTAINERS_CEILING:
        return False
    bare = _TEXTS.sub(b"", untrusted)
    return bare.count(b"[") + bare.count(b"{") > CONTAINERS_CEILING


def write(message: dict[str, Any]) -> bytes:
    """The message as JSON, whatever is in it."""
    try:
        return to_json(message, inf_nan_mode="null")
    except ValueError:
        return to_json(_plain(message), inf_nan_mode="null")


def one_line(body: bytes) -> bytes:
    """The same JSON for a reader of lines: one that ends them as Unicode does would see it broken off."""
    for character, escape in _LINE_ENDS:
        if character in body:
            body = body.replace(character, escape)
    return body


def sayable(body: dict[str, Any]) -> dict[str, Any]:
    """The body, or where JSON cannot say it (half a character from a file's name, say) the nearest to it."""
    try:
        to_json(body)
    except ValueError:
        return {str(key): _plain(value) for key, value in body.items()}
    return body


def meta(params: dict[str, Any] | None) -> dict[str, Any]:
    """The `_meta` of a message, empty where it has none."""
    found = params.get("_meta") if params else None
    return found if isinstance(found, dict) else {}


def _message(untrusted: dict[str, Any]) -> Message:
    found = untrusted.get("id")
    answered = found if type(found) is int or type(found) is str else None
    if untrusted.get("jsonrpc") != "2.0":
        raise ProtocolFailure(INVALID_REQUEST, 'jsonrpc: must be "2.0"', request_id=answered)
    if "method" not in untrusted and ("result" in untrusted or "error" in untrusted):
        return Response(id=answered, body=untrusted)
    method, params = untrusted.get("method"), untrusted.get("params")
    if not isinstance(method, str) or not method:
        raise ProtocolFailure(INVALID_REQUEST, "method: must be a non-empty string", request_id=answered)
    if params is not None and not isinstance(params, dict):
        raise ProtocolFailure(INVALID_REQUEST, "params: must be an object", request_id=answered)
    if "id" not in untrusted:
        return Notification(method, params)
    if answered is None:
        raise ProtocolFailure(INVALID_REQUEST, "id: must be a string or an integer")
    return Request(answered, method, params)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {_plain(str(key)): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case None | bool() | int() | float():
            return value
        case _:
            return str(value).encode(errors="replace").decode()
