"""Every test of notes runs on every kind of database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support import postgres
from support.notes import engine_of, programs_of, with_pgvector
from support.postgres import Cluster, Database
from wand_server.storage.asking import Engine

KINDS = ("sqlite", "postgres", "pgvector")


@pytest.fixture(scope="session")
def cluster_with_pgvector() -> Iterator[Cluster]:
    package = with_pgvector()
    if package is None:
        pytest.skip("there is no pgvector: ./dev services")
    with programs_of(package) as programs, postgres.running(programs=programs) as cluster:
        yield cluster


@pytest.fixture
def database_with_pgvector(cluster_with_pgvector: Cluster) -> Iterator[Database]:
    with cluster_with_pgvector.database() as database:
        yield database


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def a_database(kind: str, request: pytest.FixtureRequest) -> Database | None:
    names = {"postgres": "database", "pgvector": "database_with_pgvector"}
    return request.getfixturevalue(names[kind]) if kind in names else None


@pytest.fixture
async def engine(kind: str, a_database: Database | None, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine_of("sqlite" if kind == "sqlite" else "postgres", tmp_path, a_database) as engine:
        yield engine
