"""Asks and answers as frames on the worker's stream socket; both ends use it.

A frame is two lengths (header, body; 4 bytes each, network order), a JSON object, and raw bytes. The object
names a class of `model` and its fields; a field of bytes travels as the body. Answers come in order.
"""

import dataclasses
import functools
import json
import struct
import typing
from enum import Enum
from typing import Any

from wand_hostagent.filesystem import model
from wand_hostagent.filesystem.model import Answer, Ask
from wand_hostagent.filesystem.refusal import Refused

LENGTHS = struct.Struct("!II")
HEADER_BYTES = 12 * 1024 * 1024
BODY_BYTES = 4 * 1024 * 1024
_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        model.Read, model.Write, model.Edit, model.List, model.Search, model.Scan,
        model.Arrange, model.Survey, model.Aliases,
        model.ReadAnswer, model.WriteAnswer, model.ListAnswer, model.SearchAnswer,
        model.ArrangeAnswer, model.SurveyAnswer, model.AliasesAnswer,
    )
}  # fmt: skip
_REFUSED = ("kind", "message", "hint", "field")


def pack(value: Ask | Answer | Refused) -> bytes:
    """The value as a frame; raises Refused where it is too large for one."""
    if isinstance(value, Refused):
        fields: dict[str, Any] = {name: getattr(value, name) for name in _REFUSED}
    else:
        fields = dataclasses.asdict(value)
    body: bytes = fields.pop("data", b"")
    header = json.dumps({"what": type(value).__name__, "fields": fields}, ensure_ascii=False)
    packed = header.encode("utf-8", "surrogatepass")
    check_lengths(len(packed), len(body))
    return LENGTHS.pack(len(packed), len(body)) + packed + body


def check_lengths(header: int, body: int) -> None:
    """Raise Refused where a frame of these lengths is too large."""
    if header > HEADER_BYTES or body > BODY_BYTES:
        raise Refused("Invalid", f"has {max(header, body)} bytes; the most is {BODY_BYTES}", field="data")


def unpack(untrusted: bytes, body: bytes) -> Ask | Answer | Refused:
    """Read a frame's value, or raise Refused naming the field that is wrong."""
    try:
        read = json.loads(untrusted.decode("utf-8", "surrogatepass"))
        what, fields = str(read["what"]), dict(read["fields"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("Invalid", "is no frame of the file tools", field="header") from error
    if what == Refused.__name__:
        text = {name: str(fields.get(name, "")) for name in _REFUSED}
        return Refused(text["kind"], text["message"], hint=text["hint"], field=text["field"])
    if what not in _KINDS:
        raise Refused("Invalid", f"{what!r:.40} is not known", field="what")
    if "data" in _types(_KINDS[what]):
        fields["data"] = body
    value: Ask | Answer = _revive(_KINDS[what], fields, what)
    return value


@functools.cache
def _types(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _revive(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        types = _types(kind)
        if value.keys() - types.keys():
            raise Refused("Invalid", f"{', '.join(value.keys() - types.keys())} is not known", field=where)
        try:
            return kind(**{name: _revive(types[name], each, name) for name, each in value.items()})
        except TypeError as error:
            raise Refused("Invalid", f"lacks a field: {error}", field=where) from error
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_revive(typing.get_args(kind)[0], each, where) for each in value)
    if isinstance(kind, type) and issubclass(kind, Enum) and value in set(kind):
        return kind(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise Refused("Invalid", f"must not be {value!r:.40}", field=where)
    return value
