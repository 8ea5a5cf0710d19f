"""Every test of the port runs on every kind of store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.postgres import Database
from support.stores import Stand, opened

KINDS = ("sqlite", "postgres")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def a_database(kind: str, request: pytest.FixtureRequest) -> Database | None:
    found: Database | None = request.getfixturevalue("database") if kind == "postgres" else None
    return found


@pytest.fixture
async def stand(kind: str, a_database: Database | None, tmp_path: Path) -> AsyncIterator[Stand]:
    async with opened(kind, tmp_path, a_database) as stand:
        yield stand
