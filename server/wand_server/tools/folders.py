"""list_directory and search_files: what lies in the workspace, and where in it something is."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal, TypeVar

from pydantic import Field

from wand_proto.errors import Invalid
from wand_server.model import Call
from wand_server.ports import Found, Host, List, Match, Search, StreamName
from wand_server.tools import render, unseen
from wand_server.tools.base import Answer, Part, Tool
from wand_server.tools.outputs import named

_LIST_CEILING = 40 * 1024  # bytes of JSON that a list in an answer may take

AnyPart = TypeVar("AnyPart", bound=Part)


def _within_ceiling(parts: Iterable[AnyPart]) -> tuple[list[AnyPart], bool]:
    """As many parts as an answer may hold, and whether some had to be left out."""
    kept: list[AnyPart] = []
    room = _LIST_CEILING
    for part in parts:
        room -= len(part.model_dump_json(exclude_defaults=True))
        if room < 0:
            return kept, True
        kept.append(part)
    return kept, False


def _seen(text: str) -> str:
    return "\n".join((*unseen.notes("names and lines", text, "written out as \\u{N}"), unseen.visible(text)))


class EntryPart(Part):
    """One name."""

    path: str = Field(description="relative to the listed folder")
    kind: Literal["file", "directory", "link", "other"]
    bytes: int
    modified: str
    target: str = Field(default="", description="of a link")

    def line(self) -> str:
        """The entry as a line of text."""
        name = unseen.one_line(self.path)
        if self.kind == "directory":
            return f"{name}/"
        if self.kind == "link":
            return f"{name} -> {unseen.one_line(self.target)}"
        return f"{name}  {render.size(self.bytes)}" if self.kind == "file" else f"{name}  (special)"


class ListAnswer(Answer):
    """A folder's names."""

    is_sparse = True

    path: str
    entries: list[EntryPart]
    truncated: bool

    def text(self) -> str:
        lines = [
            f"{unseen.one_line(self.path)}: {render.count(len(self.entries), 'entry', 'entries')}",
            *(entry.line() for entry in self.entries),
        ]
        if self.truncated:
            lines.append(
                "There are more: list a folder below, lower depth, or use search_files with name_glob."
            )
        return _seen("\n".join(lines))


class ListDirectory(Tool):
    """List a folder of the workspace, with sizes; `depth` 2 or more shows folders below it too."""

    name = "list_directory"
    title = "List a folder"
    toolset = "files"
    answer = ListAnswer
    read_only = True
    idempotent = True

    path: str = Field(
        "", max_length=4096, description="absolute, or relative to the workspace; empty: the workspace"
    )
    depth: int = Field(default=1, ge=1, le=8)
    max_entries: int = Field(default=300, ge=1, le=5000)
    hidden: bool = Field(default=False, description="dot files and ignored ones too")

    async def call(self, host: Host, call: Call) -> ListAnswer:
        wanted = List(path=self.path, depth=self.depth, max_entries=self.max_entries, hidden=self.hidden)
        listing = await host.list_directory(call, wanted)
        entries, left_out = _within_ceiling(
            EntryPart(
                path=entry.path,
                kind=entry.kind,
                bytes=entry.bytes,
                modified=_when(entry.modified_unix_seconds),
                target=entry.target,
            )
            for entry in listing.entries
        )
        return ListAnswer(path=listing.path, entries=entries, truncated=listing.truncated or left_out)


def _when(unix_seconds: float) -> str:
    try:
        return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "unknown"


class MatchPart(Part):
    """One line that matches, or one name."""

    path: str = Field(description="relative to the searched folder")
    line: int = 0
    text: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The match and what stands around it, numbered as grep does."""
        first = self.line - len(self.before)
        return [
            *(f"{first + index}- {text}" for index, text in enumerate(self.before)),
            f"{self.line}: {self.text}",
            *(f"{self.line + 1 + index}- {text}" for index, text in enumerate(self.after)),
        ]


class SearchAnswer(Answer):
    """What was found."""

    is_sparse = True

    path: str
    searched: Literal["lines", "names"]
    matches: list[MatchPart]
    truncated: bool
    files_searched: int
    skip: int = 0
    files_skipped: int  # binary, larger than 8 MiB, or not readable

    def text(self) -> str:
        more = f", and there are more: go on with skip={self.skip + len(self.matches)}" * self.truncated
        skipped = f", {self.files_skipped} skipped" if self.files_skipped else ""
        counted = f" ({render.count(self.files_searched, 'file')} searched{skipped})"
        found = f"{render.count(len(self.matches), 'match', 'matches')} in {unseen.one_line(self.path)}"
        lines = [f"{found}{counted if self.searched == 'lines' else ''}{more}"]
        for path, group in groupby(self.matches, key=lambda match: match.path):
            lines.append(unseen.one_line(path))
            lines += [f"  {line}" for match in group if match.line for line in match.lines()]
        return _seen("\n".join(lines))


class SearchFiles(Tool):
    """Search files below a folder of the workspace, or `wand://jobs/<job>/stdout`: lines that match `pattern`
    (a Python regular expression), or, without a pattern, names that match `name_glob`. Binary files, those
    over 8 MiB and those that .gitignore names are skipped.
    """

    name = "search_files"
    title = "Search in files"
    toolset = "files"
    answer = SearchAnswer
    read_only = True
    idempotent = True

    pattern: str = Field(default="", max_length=4096)
    path: str = Field(default="", max_length=4096, description="folder or file; empty: the workspace")
    name_glob: str = Field(default="", max_length=1024, description='e.g. "*.py", "tests/**/*.py"')
    literal: bool = Field(default=False, description="the pattern is plain text")
    ignore_case: bool = False
    context_lines: int = Field(default=0, ge=0, le=10)
    max_matches: int = Field(default=100, ge=1, le=2000)
    skip: int = Field(default=0, ge=0, le=1_000_000, description="matches, to read on")
    hidden: bool = Field(default=False, description="dot files and ignored ones too")

    async def call(self, host: Host, call: Call) -> SearchAnswer:
        wanted = Search(**self.model_dump())
        if self.path.startswith("wand:"):
            return await self._search_output(host, call, wanted)
        return self._told(await host.search_files(call, wanted))

    async def _search_output(self, host: Host, call: Call, wanted: Search) -> SearchAnswer:
        job, name = named(self.path)
        if not self.pattern or self.name_glob or name == "screen":
            hint = "read_file shows a screen" if name == "screen" else "give a pattern, and no name_glob"
            raise Invalid("only lines of stdout or stderr can be searched for", hint=hint, field="pattern")
        stream: StreamName = "stdout" if name == "stdout" else "stderr"
        return self._told(await host.search_output(call, job, stream, 0, wanted))

    def _told(self, found: Found) -> SearchAnswer:
        matches, left_out = _within_ceiling(_match_part(match) for match in found.matches)
        return SearchAnswer(
            path=found.path,
            searched="lines" if self.pattern else "names",
            matches=matches,
            truncated=found.truncated or left_out,
            skip=self.skip,
            files_searched=found.files_searched,
            files_skipped=found.files_skipped,
        )


def _match_part(match: Match) -> MatchPart:
    return MatchPart(
        path=match.path,
        line=match.line,
        text=match.text if match.line else "",  # of a name there is no more to tell
        before=match.before,
        after=match.after,
    )
