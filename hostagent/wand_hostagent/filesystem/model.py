"""What the file tools are asked and what they answer; both ends of the confined worker's socket use it."""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How to write: only a new file, whatever was there before, or at the end."""

    CREATE = "create"
    REPLACE = "replace"
    APPEND = "append"


class Kind(StrEnum):
    """What a name in a folder is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Which part of which file: by lines where `first_line` is given, else by bytes; 0 is our own most."""

    path: str
    offset: int = 0
    max_bytes: int = 0
    first_line: int = 0
    max_lines: int = 0
    last_lines: int = 0  # so many lines from the end instead


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    """A part of a file; `next_line` is 0 at its end, `sha256` empty where the file was not read whole."""

    path: str
    data: bytes
    offset: int
    total_bytes: int
    binary: bool
    sha256: str
    modified_unix_seconds: float
    first_line: int = 0
    next_line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What to write where; with `expected_sha256`, only over the file that the caller has seen."""

    path: str
    data: bytes
    mode: Mode
    expected_sha256: str = ""
    create_directories: bool = False
    at: tuple[str, ...] = ()  # the names that are permitted: a file that has another one is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One edit: `old_text` must occur exactly once, or `every` be set."""

    old_text: str
    new_text: str
    every: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replacements in order, all or none."""

    path: str
    replacements: tuple[Replacement, ...]
    expected_sha256: str = ""
    at: tuple[str, ...] = ()  # the names that are permitted: a file that has another one is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteAnswer:
    """The file as it is now; `diff` is unified and bounded, and empty but for edits."""

    path: str
    total_bytes: int
    sha256: str
    created: bool = False
    diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """Which folder, how deep, and how many names at most."""

    path: str
    depth: int = 1
    max_entries: int = 0
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name, its path relative to the listed folder; `mode` holds the permission bits."""

    path: str
    kind: Kind
    bytes: int
    modified_unix_seconds: float
    mode: int
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnswer:
    """A folder's names in order of path."""

    path: str
    entries: tuple[Entry, ...]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for: a pattern in lines, or (without one) names."""

    path: str
    pattern: str = ""
    literal: bool = False
    ignore_case: bool = False
    name_glob: str = ""
    max_matches: int = 0
    context_lines: int = 0
    hidden: bool = False
    skip: int = 0  # so many matches are left out first


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The same in lines that are brought along."""

    pattern: str
    data: bytes
    path: str = ""
    literal: bool = False
    ignore_case: bool = False
    max_matches: int = 0
    context_lines: int = 0
    skip: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One line that matches, or one name (line 0)."""

    path: str
    line: int
    text: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """What was found."""

    path: str
    matches: tuple[Match, ...]
    truncated: bool
    files_searched: int
    files_skipped: int
    passed_over: int = 0  # matches that were left out first


class Arrangement(StrEnum):
    """What can become of a file, or of a folder with all that is in it."""

    MOVE = "move"
    COPY = "copy"
    REMOVE = "remove"  # to a place from which it can be restored
    RESTORE = "restore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrange:
    """What is to become of what; nothing may be at `to`. No link may be on the way to either."""

    what: Arrangement
    path: str
    to: str = ""
    at: tuple[str, ...] = ()  # the names that are permitted, of either; none: the paths alone
    surveyed: bool = False  # all below it that may be touched are these names
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrangeAnswer:
    """Where it is now, and how much there is of it."""

    path: str
    to: str
    files: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What an Arrange would be about."""

    what: Arrangement
    path: str
    at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyAnswer:
    """Every name below it, relative to it."""

    path: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """Which permitted folders are links, or lie behind one?"""

    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A folder by the name that its profile has for it, and where that leads."""

    name: str
    real: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasesAnswer:
    """All of them."""

    aliases: tuple[Alias, ...]
    path: str = ""


Ask = Read | Write | Edit | List | Search | Scan | Arrange | Survey | Aliases
Answer = ReadAnswer | WriteAnswer | ListAnswer | SearchAnswer | ArrangeAnswer | SurveyAnswer | AliasesAnswer
