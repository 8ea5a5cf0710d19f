"""All the tools, in one fixed order: what a client may call, and the boundary at which a call can fail."""

import functools
import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from wand_proto.errors import NotFound, WandError
from wand_server import arguments
from wand_server.model import Call, ToolDescription, ToolResult, Whole, refusal
from wand_server.ports import Host
from wand_server.schema import schema_of
from wand_server.tools import render
from wand_server.tools.arranging import ManageFile
from wand_server.tools.base import Answer, Tool, ToolModel
from wand_server.tools.command import ExecuteCommand
from wand_server.tools.files import ReadFile, WriteFile
from wand_server.tools.folders import ListDirectory, SearchFiles
from wand_server.tools.input import SendInput
from wand_server.tools.kept import KeptResults
from wand_server.tools.large import Large
from wand_server.tools.listing import ListJobs
from wand_server.tools.plain import PlainEntry
from wand_server.tools.system import CheckCommandExists, GetSystemInfo, GetSystemStatus

log = logging.getLogger(__name__)

BUILT_IN: tuple[type[Tool], ...] = (
    ExecuteCommand,
    SendInput,
    ListJobs,
    ReadFile,
    WriteFile,
    ManageFile,
    ListDirectory,
    SearchFiles,
    GetSystemInfo,
    GetSystemStatus,
    CheckCommandExists,
)

MEMORY = "memory"  # the toolset whose own answers are no source
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

AnyTool = TypeVar("AnyTool")
Asking = TypeVar("Asking", bound=ToolModel)


class Entry(Protocol):
    """One tool, as the registry keeps it."""

    @property
    def description(self) -> ToolDescription: ...

    def has_subject(self) -> bool:
        """Whether there is anything that it could act on; else it is not listed."""
        ...

    async def call(self, untrusted: dict[str, Any], host: Host, call: Call) -> ToolResult: ...


class ModelEntry:
    """A tool whose arguments are a model."""

    def __init__(self, kind: type[ToolModel]) -> None:
        self.description = ToolDescription(
            name=kind.name,
            title=kind.title,
            description=_unwrapped(inspect.cleandoc(kind.__doc__ or kind.title)),
            input_schema=schema_of(kind, "validation"),
            output_schema={},  # every client would pay for it, and few look at it
            read_only=kind.read_only,
            destructive=kind.destructive,
            idempotent=kind.idempotent,
            open_world=kind.open_world,
            toolset=kind.toolset,
            may_last=kind.may_last,
            view=kind.view,
            stands_for=kind.stands_for,
            kept_seconds=kind.kept_seconds,
        )

    def has_subject(self) -> bool:
        """There is always a host."""
        return True


class HostEntry(ModelEntry):
    """A tool that asks the host."""

    def __init__(self, kind: type[Tool]) -> None:
        super().__init__(kind)
        self._kind = kind

    async def call(self, untrusted: dict[str, Any], host: Host, call: Call) -> ToolResult:
        """Read the arguments, run the tool, and give its answer in both forms."""
        tool = arguments.read(self._kind, untrusted)
        return result_of(await tool.call(host, call))


class AskingEntry(ModelEntry, Generic[Asking]):
    """A tool that asks another part of the waist: `ask` has it do so."""

    def __init__(self, kind: type[Asking], ask: Callable[[Asking, Call], Awaitable[Answer]]) -> None:
        super().__init__(kind)
        self._kind, self._ask = kind, ask

    async def call(self, untrusted: dict[str, Any], host: Host, call: Call) -> ToolResult:  # noqa: ARG002
        """Read the arguments, ask, and give the answer in both forms."""
        return result_of(await self._ask(arguments.read(self._kind, untrusted), call))


def _unwrapped(text: str) -> str:
    """Each paragraph as one line: where the source wraps means nothing to a client."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def result_of(answer: Answer) -> ToolResult:
    """The answer in both forms."""
    text = answer.text()
    shown = render.clipped(text)
    return ToolResult(
        text=shown,
        structured=answer.model_dump(mode="json", exclude_defaults=answer.is_sparse),
        is_error=answer.is_failure(),
        whole=answer.whole() if shown is text else _whole(text),
        pictures=answer.pictures(),
    )


def _whole(text: str) -> Whole:
    return Whole(data=text.encode(errors="backslashreplace"), mime_type="text/plain")


def _entry(name: str, kind: type[Any]) -> Entry:
    """The tool as an entry; the plain form is known by its two methods, whatever it inherits."""
    if issubclass(kind, Tool):
        if kind.name != name:
            raise ValueError(f"{kind.__name__} calls itself {kind.name!r} and is registered as {name!r}")
        return HostEntry(kind)
    if not all(callable(getattr(kind, method, None)) for method in ("execute", "get_schema")):
        raise ValueError(f"the tool {name!r} needs the methods execute and get_schema")
    return PlainEntry(name, kind())


class Extensions:
    """Tools that others add: `@tool_registry.register("new_tool")` on a class, before the server starts."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def register(self, name: str) -> Callable[[type[AnyTool]], type[AnyTool]]:
        """Decorate a Tool, or a class of the plain form (`get_schema`, `execute`), to add it as `name`.

        Raises:
            ValueError: the name is taken or not permitted.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a tool's name: 1 to 64 of A-Z a-z 0-9 _ . -")
        if name in self._entries or any(name == kind.name for kind in BUILT_IN):
            raise ValueError(f"there is a tool {name!r} already")

        def add(kind: type[AnyTool]) -> type[AnyTool]:
            self._entries[name] = _entry(name, kind)
            return kind

        return add

    def entries(self) -> tuple[Entry, ...]:
        """What was added, in that order."""
        return tuple(self._entries.values())


tool_registry = Extensions()


class Family(Protocol):
    """Many tools of a kind, which come and go: operations."""

    @property
    def replaces(self) -> frozenset[str]:
        """The tools that need not be listed where those are."""
        ...

    def listed(self, beside: Iterable[ToolDescription]) -> Sequence[Entry]:
        """Those that stand in the list, beside those."""
        ...

    def one(self, name: str) -> Entry | None:
        """The one of that name, listed or not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Where results are kept: for a moment, and where they are too large for an answer."""

    kept: KeptResults | None = None
    large: Large | None = None
    told: Callable[[str, str, str], None] | None = None  # hears whom which tool has told what


class Registry:
    """The tools as the protocol sees them, bound to the host that they act on; offers `ports.Tools`."""

    def __init__(
        self,
        host: Host,
        extensions: Iterable[Entry] = (),
        family: Family | None = None,
        around: Around = Around(),
    ) -> None:
        self._host = host
        self._around = around
        self._family = family
        entries = (*(HostEntry(kind) for kind in BUILT_IN), *extensions)
        self._entries: dict[str, Entry] = {entry.description.name: entry for entry in entries}

    def describe(self) -> tuple[ToolDescription, ...]:
        """Every tool that has something to act on, always in the same order."""
        own = tuple(entry.description for entry in self._entries.values() if entry.has_subject())
        more = tuple(one.description for one in self._family.listed(own)) if self._family else ()
        replaced = self._family.replaces if self._family and more else frozenset[str]()
        return (*(one for one in own if one.name not in replaced), *more)

    def unlisted(self, name: str) -> ToolDescription | None:
        """The tool of that name, if it can be called."""
        entry = self._entries.get(name) or self._of_family(name)
        return entry.description if entry is not None and entry.has_subject() else None

    def _of_family(self, name: str) -> Entry | None:
        return self._family.one(name) if self._family else None

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        """Run a tool; whatever goes wrong comes back as a result that a model can read.

        Raises:
            NotFound: there is no such tool.
        """
        entry = self._entries.get(name) or self._of_family(name) or self._missing(name)
        try:
            return await self._run(entry, arguments, call)
        except WandError as error:
            log.info("tool refused", extra={"tool": name, "kind": type(error).__name__})
            return refusal(error)
        except Exception:  # the tool-call boundary: a defect is logged whole and told without its insides
            log.exception("tool broke", extra={"tool": name})
            message = f"Broken: a defect in Wand; its log has the details under request {call.request_id}"
            return ToolResult(text=message, is_error=True)

    async def _run(self, entry: Entry, arguments: dict[str, Any], call: Call) -> ToolResult:
        kept, large = self._around.kept, self._around.large
        if kept is not None:
            run = functools.partial(entry.call, arguments, self._host, call)
            result = await kept.call(entry.description, arguments, call, run)
        else:
            result = await entry.call(arguments, self._host, call)
        if large is not None and result.whole is not None:
            result = await large.told(entry.description.name, result, call)
        if self._around.told is not None and entry.description.toolset != MEMORY:
            self._around.told(call.principal.owner, entry.description.name, result.text)
        return result

    def _missing(self, name: str) -> Entry:
        raise NotFound(arguments.unknown_tool(name, self._entries), field="name")
