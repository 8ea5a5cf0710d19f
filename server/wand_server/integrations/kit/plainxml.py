"""XML as a plain value. What could be an attack is no XML here: no document types, no entities, no depth."""

from typing import Any
from xml.parsers import expat

_MOST_DEPTH = 64


class _Reader:
    """Builds the value; each open element is its name, its members, and its text."""

    def __init__(self) -> None:
        self._open: list[tuple[str, dict[str, Any], list[str]]] = [("", {}, [])]

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > _MOST_DEPTH:
            raise ValueError("nested too deeply")
        marks = {f"@{_local(key)}": value for key, value in attributes.items() if not key.startswith("xmlns")}
        self._open.append((_local(name), dict(marks), []))

    def text(self, piece: str) -> None:
        self._open[-1][2].append(piece)

    def end(self, name: str) -> None:
        name, members, pieces = self._open.pop()
        text = "".join(pieces).strip() if members else "".join(pieces)
        value: Any = text if not members else {**members, "#text": text} if text else members
        _add(self._open[-1][1], name, value)

    def whole(self) -> dict[str, Any]:
        return self._open[0][1]


def read(raw: bytes) -> dict[str, Any]:
    """A document: `{"root": …}`; an element is its text, or its members by name, several of a name a list.

    Attributes are members with an @ before their names; prefixes and namespaces are left out.

    Raises:
        ValueError: it is not well-formed, declares a document type, or is nested too deeply.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as why:
        raise ValueError(str(why)) from why
    return reader.whole()


def _refuse(*_: Any) -> None:
    raise ValueError("declares a document type")


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _add(members: dict[str, Any], name: str, value: Any) -> None:
    if name not in members:
        members[name] = value
    elif isinstance(members[name], list):
        members[name].append(value)
    else:
        members[name] = [members[name], value]
