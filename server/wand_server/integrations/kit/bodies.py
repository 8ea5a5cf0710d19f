"""Bodies of answers, read by their media type: JSON, lines of JSON, events, XML, text."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic_core import from_json

from wand_server.integrations.kit import plainxml

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_LINES = ("ndjson", "jsonl", "json-lines", "stream+json", "jsonlines")
_JSON = frozenset({
    "application/json", "application/json;charset=utf-8", "application/json; charset=utf-8",
    "application/json;charset=UTF-8", "application/json; charset=UTF-8",
})  # fmt: skip
_END = "[DONE]"  # of a stream of events, as OpenAI and those after it have it


class Answered(NamedTuple):
    """What a service answered; header names are in lower case, a body that can be read is read."""

    status: int
    headers: Mapping[str, str]
    body: Any
    raw: bytes = b""
    cookies: Mapping[str, str] = MappingProxyType({})

    @property
    def text(self) -> str:
        """The body as it came."""
        return decoded(self.raw, self.headers.get("content-type", ""))


def read(raw: bytes, content_type: str) -> Any:
    """A body as a value: lines and events as a list of what each holds, XML plainly, the rest as text.

    What is not as its type says is text too.
    """
    if not raw:
        return None
    if content_type in _JSON:
        with suppress(ValueError):  # what it does not know, such as half a pair of surrogates, Python does
            return from_json(raw, cache_strings="keys")
    return _read(raw, content_type)


def _read(raw: bytes, content_type: str) -> Any:
    kind = content_type.partition(";")[0].strip().lower()
    text = decoded(raw, content_type)
    try:
        if kind == "text/event-stream":
            return list(_events(text))
        if any(mark in kind for mark in _LINES):
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        if kind.endswith(("/xml", "+xml")):
            return plainxml.read(raw)
        return json.loads(text) if "json" in kind else text
    except (ValueError, RecursionError):
        return text


def decoded(raw: bytes, content_type: str) -> str:
    """A body as text."""
    try:
        return raw.decode(charset(content_type), "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def charset(content_type: str) -> str:
    """The encoding that a media type names, or the usual one."""
    match = _CHARSET.search(content_type)
    return match[1] if match else "utf-8"


def _events(text: str) -> Iterator[Any]:
    """What each event of a stream holds (WHATWG HTML, 9.2): JSON read, else as text."""
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    data: list[str] = []
    for line in (*lines, ""):
        name, _, value = line.partition(":")
        if line and name == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            whole, data = "\n".join(data), []
            if whole != _END:
                yield _value(whole)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
