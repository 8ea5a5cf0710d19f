"""What is done to the tables of notes, as acts that an engine runs (`storage/asking.py`)."""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from wand_proto.errors import Exhausted, NotFound
from wand_server.memory import ranking
from wand_server.ports import Note
from wand_server.storage.asking import Act, Moment, Row, changed, row, rows

_NOTE = "id, text, source, trusted, by_name, scope, made"
_WORDS = {
    "sqlite": "SELECT rowid AS seq FROM note_words WHERE note_words MATCH $1 ORDER BY rank LIMIT $2",
    "postgres": """SELECT seq FROM note WHERE place = ANY($3) AND words @@ to_tsquery('english', $1)
 ORDER BY ts_rank_cd(words, to_tsquery('english', $1)) DESC, seq DESC LIMIT $2""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A note on its way into the tables."""

    id: str
    owner: str
    by: str
    place: str  # the name of where it belongs: `places.name_of`
    scope: str
    text: str
    source: str
    trusted: bool
    model: str = ""
    vector: bytes = b""  # of float32, in the order of bytes of this machine; none: it has none yet

    @property
    def digest(self) -> str:
        """By what the same text is known."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


class Meaning(NamedTuple):
    """A note without a vector of a model."""

    seq: int
    text: str


def remember(at: Moment, draft: Draft, most: int, dialect: str) -> Act[tuple[Note, bool]]:
    """Keep it; the note, and whether its text was not there yet.

    Raises:
        Exhausted: its owner has as many as anybody may.
    """
    place = yield from _place(draft.place)
    same = "SELECT seq, trusted, source FROM note WHERE place = $1 AND owner = $2 AND digest = $3"
    there = yield from row(same, place, draft.owner, draft.digest)
    if there is not None:
        trusted = int(draft.trusted and there["trusted"])  # to say something twice makes it no truer
        source = there["source"] if draft.trusted and not trusted else draft.source
        again = f"UPDATE note SET source = $2, trusted = $3, made = $4 WHERE seq = $1 RETURNING {_NOTE}"  # noqa: S608
        found = yield from row(again, there["seq"], source, trusted, at.now)
        return _note(found), False
    count = yield from row("SELECT count(*) AS n FROM note WHERE owner = $1", draft.owner)
    if count is not None and count["n"] >= most:
        raise Exhausted(f"you have {most:,} notes, which is the most", hint="forget some", field="text")
    into = f"""INSERT INTO note
 (id, place, owner, by_name, scope, text, digest, source, trusted, made, model, vector)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING seq, {_NOTE}"""  # noqa: S608
    found = yield from row(
        into, draft.id, place, draft.owner, draft.by, draft.scope, draft.text, draft.digest,
        draft.source, int(draft.trusted), at.now, draft.model if draft.vector else "", draft.vector or None,
    )  # fmt: skip
    assert found is not None
    if dialect == "sqlite":
        told = "INSERT INTO note_words (rowid, place, text) VALUES ($1, $2, $3)"
        yield from changed(told, found["seq"], place, draft.text)
    yield from _is_other(place)
    return _note(found), True


def forget(_at: Moment, note: str, owner: str, shared: str, dialect: str) -> Act[Note]:
    """End a note of that owner's; or one of the place `shared`, where that is named.

    Raises:
        NotFound: there is none.
    """
    find = """SELECT n.seq AS seq, n.place AS place FROM note n JOIN memory_place p ON p.id = n.place
 WHERE n.id = $1 AND (n.owner = $2 OR p.name = $3)"""
    found = yield from row(find, note, owner, shared)
    if found is None:
        raise NotFound("you have no such note", hint="recall tells the ids of notes", field="id")
    if dialect == "sqlite":
        out = """INSERT INTO note_words (note_words, rowid, place, text)
 SELECT 'delete', seq, place, text FROM note WHERE seq = $1"""
        yield from changed(out, found["seq"])
    gone = yield from row(f"DELETE FROM note WHERE seq = $1 RETURNING {_NOTE}", found["seq"])  # noqa: S608
    yield from _is_other(found["place"])
    return _note(gone)


def look(
    at: Moment, names: Sequence[str], asked: Sequence[str], most: int, dialect: str
) -> Act[tuple[dict[int, int], list[int]]]:
    """The places of those names, and their notes that have any of the words, the best first."""
    there = yield from places(at, names)
    return there, (yield from _by_words(list(there), asked, most, dialect))


def _by_words(places: Sequence[int], asked: Sequence[str], most: int, dialect: str) -> Act[list[int]]:
    if not places or not asked:
        return []
    values = (
        (ranking.for_fts5(places, asked), most)
        if dialect == "sqlite"
        else (ranking.for_tsquery(asked), most, list(places))
    )
    found = yield from rows(_WORDS[dialect], *values)
    return [one["seq"] for one in found]


def places(_at: Moment, names: Sequence[str]) -> Act[dict[int, int]]:
    """Of the places of those names that there are: the number of each, and which version of it this is."""
    found: dict[int, int] = {}
    for name in names:
        one = yield from row("SELECT id, version FROM memory_place WHERE name = $1", name)
        if one is not None:
            found[one["id"]] = one["version"]
    return found


def notes(_at: Moment, seqs: Sequence[int]) -> Act[tuple[Note, ...]]:
    """Those notes, in that order; one that is gone is left out."""
    found = []
    for seq in seqs:
        one = yield from row(f"SELECT {_NOTE} FROM note WHERE seq = $1", seq)  # noqa: S608
        found += [_note(one)] if one is not None else []
    return tuple(found)


def vectors(_at: Moment, place: int, model: str) -> Act[Sequence[Row]]:
    """Every vector of a model in a place."""
    every = "SELECT seq, vector FROM note WHERE place = $1 AND model = $2 AND vector IS NOT NULL ORDER BY seq"
    return (yield from rows(every, place, model))


def without_vector(_at: Moment, model: str, most: int) -> Act[list[Meaning]]:
    """Notes that have none of that model."""
    found = yield from rows("SELECT seq, text FROM note WHERE model <> $1 LIMIT $2", model, most)
    return [Meaning(one["seq"], one["text"]) for one in found]


def set_vector(_at: Moment, seq: int, model: str, vector: bytes) -> Act[None]:
    """Have a vector of that model for a note, if it is still there."""
    told = "UPDATE note SET model = $2, vector = $3 WHERE seq = $1 RETURNING place"
    found = yield from row(told, seq, model, vector)
    if found is not None:
        yield from _is_other(found["place"])


def packed(vector: Sequence[float]) -> bytes:
    """A vector as the tables have it, of length 1: then nearness is one product."""
    length = sum(value * value for value in vector) ** 0.5 or 1.0
    return array("f", [value / length for value in vector]).tobytes()


def _place(name: str) -> Act[int]:
    yield from changed("INSERT INTO memory_place (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", name)
    found = yield from row("SELECT id FROM memory_place WHERE name = $1", name)
    return int(found["id"]) if found is not None else 0


def _is_other(place: int) -> Act[None]:
    yield from changed("UPDATE memory_place SET version = version + 1 WHERE id = $1", place)


def _note(found: Any) -> Note:
    return Note(
        id=found["id"],
        text=found["text"],
        source=found["source"],
        trusted=bool(found["trusted"]),
        by=found["by_name"],
        scope=found["scope"],
        made=found["made"],
    )
