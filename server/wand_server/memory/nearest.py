"""Nearness of vectors: by numpy here, over all of a place at once, or by pgvector in the database."""

from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from wand_server.memory import acts, tables
from wand_server.storage.asking import Act, Doing, Engine, Moment, changed, row, rows
from wand_server.storage.schema import statements

_MOST_BYTES = 64 * 1024 * 1024  # of matrices that are kept
NEAR_ENOUGH = 0.15  # a cosine under it is of texts that have nothing to do with each other


class Nearest(Protocol):
    """Finds the notes whose vectors are nearest to one."""

    async def find(self, places: Mapping[int, int], model: str, vector: bytes, most: int) -> list[int]:
        """Their numbers, the nearest first; places by number, with the version that is to be searched."""
        ...


@dataclass(frozen=True, slots=True)
class _Matrix:
    """All vectors of a place, one a row."""

    version: int
    seqs: Any
    rows: Any


class ByNumpy:
    """Looks at every vector; a place's are kept in memory until it changes."""

    def __init__(self, engine: Engine, numpy: Any) -> None:
        self._engine = engine
        self._numpy = numpy
        self._kept: OrderedDict[tuple[int, str], _Matrix] = OrderedDict()

    async def find(self, places: Mapping[int, int], model: str, vector: bytes, most: int) -> list[int]:
        """As the port says."""
        asked = self._numpy.frombuffer(vector, dtype="f4")
        near: list[tuple[float, int]] = []
        for place, version in places.items():
            matrix = await self._matrix(place, model, version)
            if len(matrix.seqs) and matrix.rows.shape[1] == len(asked):
                near += self._of(matrix, asked, most)
        return [seq for _, seq in sorted(near, reverse=True)[:most]]

    def _of(self, matrix: _Matrix, asked: Any, most: int) -> list[tuple[float, int]]:
        scores = matrix.rows @ asked
        most = min(most, len(scores))
        best = self._numpy.argpartition(-scores, most - 1)[:most]
        return [(float(scores[one]), int(matrix.seqs[one])) for one in best if scores[one] >= NEAR_ENOUGH]

    async def _matrix(self, place: int, model: str, version: int) -> _Matrix:
        kept = self._kept.get((place, model))
        if kept is None or kept.version != version:
            found = await self._engine.read(partial(acts.vectors, place=place, model=model))
            kept = self._read(version, found)
            self._kept[place, model] = kept
            while len(self._kept) > 1 and sum(one.rows.nbytes for one in self._kept.values()) > _MOST_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end((place, model))
        return kept

    def _read(self, version: int, found: Sequence[Any]) -> _Matrix:
        length = len(found[0]["vector"]) if found else 0
        same = [one for one in found if len(one["vector"]) == length]
        joined = b"".join(bytes(one["vector"]) for one in same)
        numbers = self._numpy.frombuffer(joined, dtype="f4").reshape(len(same), -1 if same else 0)
        return _Matrix(version, self._numpy.array([one["seq"] for one in same], dtype="i8"), numbers)


class ByPgvector:
    """Asks the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._copied: dict[int, int] = {}  # of each place, the version whose vectors it has

    async def find(self, places: Mapping[int, int], model: str, vector: bytes, most: int) -> list[int]:
        """As the port says."""
        if others := [place for place, version in places.items() if self._copied.get(place) != version]:
            await self._engine.write(Doing(partial(_copy_missing, places=others), alone=True))
            self._copied |= places
        act = partial(_near, places=list(places), model=model, vector=_text(vector), most=most)
        return await self._engine.read(act)


async def has_pgvector(engine: Engine) -> bool:
    """Whether the database can compare vectors, made ready for it where it can."""
    return bool(await engine.write(Doing(_made_ready, alone=True)))


def _made_ready(_at: Moment) -> Act[bool]:
    able = """SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'vector') AS has,
 EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector') AND has_database_privilege(
 current_database(), 'CREATE') AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS may"""
    found = yield from row(able)
    if found is None or not (found["has"] or found["may"]):
        return False
    if not found["has"]:
        yield from changed("CREATE EXTENSION IF NOT EXISTS vector")
    for statement in statements(tables.MEANING, "postgres"):
        yield from changed(statement)
    return True


def _copy_missing(_at: Moment, places: list[int]) -> Act[None]:
    """Have the vectors of notes where pgvector finds them: new ones, and those of another model now."""
    every = """SELECT n.seq AS seq, n.place AS place, n.model AS model, n.vector AS vector FROM note n
 LEFT JOIN note_meaning m ON m.seq = n.seq AND m.model = n.model
 WHERE n.place = ANY($1) AND n.vector IS NOT NULL AND m.seq IS NULL LIMIT 1000"""
    into = """INSERT INTO note_meaning (seq, place, model, embedding)
 VALUES ($1, $2, $3, CAST(CAST($4 AS TEXT) AS vector))
 ON CONFLICT (seq) DO UPDATE SET model = excluded.model, embedding = excluded.embedding"""
    while found := (yield from rows(every, places)):
        for one in found:
            yield from changed(into, one["seq"], one["place"], one["model"], _text(one["vector"]))


def _near(_at: Moment, places: list[int], model: str, vector: str, most: int) -> Act[list[int]]:
    find = """SELECT seq FROM note_meaning WHERE place = ANY($1) AND model = $2
 AND embedding <=> CAST(CAST($3 AS TEXT) AS vector) <= $4
 ORDER BY embedding <=> CAST(CAST($3 AS TEXT) AS vector) LIMIT $5"""
    found = yield from rows(find, places, model, vector, 1 - NEAR_ENOUGH, most)
    return [one["seq"] for one in found]


def _text(vector: bytes) -> str:
    return "[" + ",".join(f"{value:.7g}" for value in array("f", vector)) + "]"
