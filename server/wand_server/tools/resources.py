"""What can be read by URI: files of the workspace, what jobs printed, and the host itself."""

import json
import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from wand_proto.errors import Invalid, NotFound
from wand_server.model import Call, ResourceContent, ResourceDescription, ResourceState
from wand_server.ports import Host, Reading, StreamName
from wand_server.tools import completing, render, skills, terminal, views

READ_CEILING = 256 * 1024  # bytes of one answer; `next_uri` reads on
_JSON = "application/json"
_CAST = "application/x-asciicast"
_ANY = "application/octet-stream"
_STREAMS = ("stdout", "stderr", "screen", "cast")
_JOB = re.compile(r"/([A-Za-z0-9_-]{1,64})/(stdout|stderr|screen|cast)")
_WATCHED = "files, what jobs print, and wand://host/status can be watched"
_NUMBER = re.compile(r"[0-9]{1,15}")
_SEQ = re.compile(r'\{"seq":([0-9]{1,15}),')
_NUMBERS = {"offset": "must be a number of bytes", "before": "must be the number of a record"}

DESCRIBED = (
    ResourceDescription(
        uri="wand://host/info", name="host info", title="The host", mime_type=_JSON,
        description="What this host is: system, processor, memory, workspace.",
    ),
    ResourceDescription(
        uri="wand://host/status", name="host status", title="The host now", mime_type=_JSON,
        description="How the host fares now, and what bounds a command on it.",
    ),
    ResourceDescription(
        uri="wand://audit", name="audit", title="What was done here", mime_type="application/x-ndjson",
        description="The last records of the host's ledger, a line of JSON each; for auditors alone.",
    ),
    ResourceDescription(
        uri="wand://audit{?before}", name="audit before", title="What was done here before that",
        mime_type="application/x-ndjson", is_template=True,
        description="Records of the host's ledger with a lower number than that; for auditors alone.",
    ),
    ResourceDescription(
        uri="wand://files/{+path}{?offset}", name="file", title="A file", mime_type=_ANY, is_template=True,
        description="A file that the workspace shows; path is absolute, or relative to the workspace.",
    ),
    ResourceDescription(
        uri="wand://jobs/{job}/{stream}{?offset}", name="job output", title="What a job printed",
        mime_type="text/plain", is_template=True,
        description="What a job wrote to stdout or stderr; of one in a terminal also screen, and cast, "
        "a recording (asciicast v2).",
    ),
    *skills.DESCRIBED,
)  # fmt: skip


class Room(Protocol):
    """Resources that are none of the host's: all that begin with `wand://` and the name of the room."""

    @property
    def described(self) -> tuple[ResourceDescription, ...]: ...

    async def read(self, uri: str, offset: int, call: Call) -> ResourceContent:
        """Read one; raises as `HostResources.read` does."""
        ...

    async def state(self, uri: str, call: Call) -> ResourceState:
        """How one is now; raises as `HostResources.state` does."""
        ...


class HostResources:
    """The resources of one host, and those of the rooms beside it; offers `ports.Resources`."""

    def __init__(self, host: Host, rooms: Mapping[str, Room] = MappingProxyType({})) -> None:
        self._host = host
        self._rooms = rooms
        self._described = (*DESCRIBED, *(one for room in rooms.values() for one in room.described))
        self._readers: dict[str, Callable[[str, int, Call], Awaitable[ResourceContent]]] = {
            "audit": self._read_audit,
            "host": self._read_host,
            "files": self._read_file,
            "jobs": self._read_job,
            **{name: room.read for name, room in rooms.items()},
        }

    def describe(self) -> tuple[ResourceDescription, ...]:
        """Every resource and every template, always in the same order."""
        return self._described

    async def complete(self, template: str, variable: str, begun: str, call: Call) -> tuple[str, ...]:
        """What the variable of a template may go on with.

        Raises:
            NotFound: there is no such template.
            WandError: the host does not tell.
        """
        if all(template != one.uri for one in self._described):
            raise NotFound(f"there is no template {template[:200]!r}", field="ref.uri")
        if f"{{{variable}}}" not in template.replace("{+", "{"):
            return ()
        match variable:
            case "stream":
                return tuple(name for name in _STREAMS if name.startswith(begun))
            case "job":
                return await completing.job(self._host, call, begun)
            case "path":
                return await completing.path(self._host, call, begun)
        return ()

    async def read(self, uri: str, call: Call) -> ResourceContent:
        """Read one.

        Raises:
            NotFound: no resource has that URI.
            WandError: it cannot be read.
        """
        if (known := skills.read(uri) or views.read(uri)) is not None:
            return known
        try:
            parts = urlsplit(uri)
            asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        except ValueError:
            raise _unknown(uri) from None
        read = self._readers.get(parts.netloc)
        named = "before" if parts.netloc == "audit" else "offset"
        if parts.scheme != "wand" or read is None or asked.keys() - {named} or parts.fragment:
            raise _unknown(uri)
        if not _NUMBER.fullmatch(asked.get(named, "0")):
            raise Invalid(_NUMBERS[named], field=named)
        return await read(uri, int(asked.get(named, "0")), call)

    async def state(self, uri: str, call: Call) -> ResourceState:
        """How one is now: of a job what it has printed, of a file its size and age, of the host its policy.

        Raises:
            NotFound: no resource has that URI, or none that can be watched.
            WandError: it cannot be read.
        """
        if uri == "wand://host/status":
            status = await self._host.status(call)
            return ResourceState(mark=f"{status.policy_digest} {status.launcher_up}")
        if (named := _JOB.fullmatch(uri.removeprefix("wand://jobs"))) is not None:
            part = await self._host.read_output(call, named[1], _stream(named), (0, 1))
            return ResourceState(mark=f"{part.total_bytes} {part.running}", final=not part.running)
        if (room := self._rooms.get(uri.removeprefix("wand://").partition("/")[0])) is not None:
            return await room.state(uri, call)
        if not uri.startswith("wand://files/"):
            raise NotFound(f"there is nothing to watch under {uri[:200]!r}", hint=_WATCHED, field="uri")
        path = unquote(urlsplit(uri).path.removeprefix("/"), errors="backslashreplace")
        read = await self._host.read_file(call, Reading(path=path, max_bytes=1))
        return ResourceState(mark=f"{read.total_bytes} {read.modified_unix_seconds}")

    async def _read_host(self, uri: str, _: int, call: Call) -> ResourceContent:
        match urlsplit(uri).path:
            case "/info":
                told = asdict(await self._host.info(call))
            case "/status":
                told = asdict(await self._host.status(call))
            case _:
                raise _unknown(uri)
        return ResourceContent(uri=uri, mime_type=_JSON, data=json.dumps(told).encode())

    async def _read_audit(self, uri: str, before: int, call: Call) -> ResourceContent:
        if urlsplit(uri).path:
            raise _unknown(uri)
        lines = await self._host.audit(call, before)
        data = "".join(f"{line}\n" for line in lines).encode()
        first = _SEQ.match(lines[0]) if lines else None
        goes_on = f"wand://audit?before={first[1]}" if first and first[1] != "0" else ""
        return ResourceContent(uri=uri, mime_type="application/x-ndjson", data=data, next_uri=goes_on)

    async def _read_file(self, uri: str, offset: int, call: Call) -> ResourceContent:
        path = unquote(urlsplit(uri).path.removeprefix("/"), errors="backslashreplace")
        if not path or "\0" in path:
            raise _unknown(uri)
        read = await self._host.read_file(call, Reading(path=path, offset=offset, max_bytes=READ_CEILING))
        more = read.offset + len(read.data) < read.total_bytes
        data, kind = _told(read.data, more=more)
        kind = mimetypes.guess_type(path)[0] or kind
        goes_on = _next(uri, read.offset + len(data)) if more else ""
        return ResourceContent(uri=uri, mime_type=kind, data=data, next_uri=goes_on)

    async def _read_job(self, uri: str, offset: int, call: Call) -> ResourceContent:
        named = _JOB.fullmatch(urlsplit(uri).path)
        if named is None:
            raise _unknown(uri)
        if named[2] in {"screen", "cast"}:
            return await self._read_terminal(uri, named, offset, call)
        part = await self._host.read_output(call, named[1], _stream(named), (offset, READ_CEILING))
        more = part.offset + len(part.data) < part.total_bytes or part.running
        data, kind = _told(part.data, more=more)
        goes_on = _next(uri, part.offset + len(data)) if more else ""
        return ResourceContent(uri=uri, mime_type=kind, data=data, next_uri=goes_on)

    async def _read_terminal(
        self, uri: str, named: re.Match[str], offset: int, call: Call
    ) -> ResourceContent:
        if named[2] == "screen":
            screen = await terminal.screen_of(self._host, call, named[1])
            return ResourceContent(uri=uri, mime_type="text/plain", data=screen.text().encode())
        cast, following = await terminal.cast_part(self._host, call, named[1], offset)
        goes_on = "" if following is None else _next(uri, following)
        return ResourceContent(uri=uri, mime_type=_CAST, data=cast.encode(), next_uri=goes_on)


def _stream(named: re.Match[str]) -> StreamName:
    return "stderr" if named[2] == "stderr" else "stdout"


def _next(uri: str, offset: int) -> str:
    return urlsplit(uri)._replace(query=f"offset={offset}").geturl()


def _told(data: bytes, *, more: bool) -> tuple[bytes, str]:
    """What to answer with, and its kind; text that goes on is cut where a character ends."""
    text = (render.whole_characters(data) or data) if more else data
    try:
        text.decode()
    except UnicodeDecodeError:
        return data, _ANY
    return text, "text/plain"


def _unknown(uri: str) -> NotFound:
    known = ", ".join(one.uri for one in DESCRIBED)
    return NotFound(f"there is no resource {uri[:200]!r}", hint=f"there are: {known}", field="uri")
