"""Notes that outlive a session: kept with where they came from, and found again by words and by meaning."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wand_server.model import Principal

SHARED = "shared"
PROJECT = "project:"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNote:
    """What is to be kept; a scope is empty (the caller's own), `project:NAME` (of theirs), or SHARED."""

    text: str
    source: str = ""  # "person", a URL, a tool; empty where it is not told
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note; what is not trusted came out of a tool or a page, or nobody told from where."""

    id: str
    text: str
    source: str
    trusted: bool
    by: str  # the name of who kept it
    scope: str
    made: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A note that is kept now."""

    note: Note
    is_new: bool  # else the same text was there already
    struck: bool = False  # something in it looked like a secret, and is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What fits best, the best first."""

    notes: tuple[Note, ...]
    by_meaning: bool  # whether meaning was asked beside words
    why_not: str = ""  # else why


class Memory(Protocol):
    """Notes, each for whoever kept it, but for those that are shared. Raises the family of errors."""

    async def remember(self, principal: Principal, new: NewNote) -> Remembered: ...

    async def recall(self, principal: Principal, query: str, scope: str) -> Recalled:
        """Of one scope; of the empty one: the caller's own and what is shared."""
        ...

    async def forget(self, principal: Principal, note: str) -> Note:
        """End a note of the caller's own; an administrator ends any that is shared.

        Raises:
            NotFound: they have none of that id.
        """
        ...


class Meaning(Protocol):
    """What finds texts by what they mean, each known by a name."""

    def take_up(self, texts: Mapping[str, str]) -> None:
        """Have these, by name, in the place of those before."""
        ...

    async def joined(self, query: str, by_words: Sequence[str], among: Iterable[str]) -> Sequence[str]:
        """That ranking joined with one by nearness of those; as it is, where nearness is not known."""
        ...


class Embeddings(Protocol):
    """What makes vectors of texts, near each other where the texts mean the same."""

    @property
    def model(self) -> str:
        """By what its vectors are known: those of two models cannot be compared."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector for each text.

        Raises:
            WandError: there are none; the message says why.
        """
        ...

    async def close(self) -> None:
        """End every use of it."""
        ...
