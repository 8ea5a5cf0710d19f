"""What is set for the tests and is no setting of Wand, which refuses a WAND_… that it does not know.

And what is so dear to start that all tests of a process share it.
"""

import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from support import postgres
from support.postgres import Cluster, Database
from wand_proto import garbage

if folder := os.environ.pop("WAND_OPENAPI_DIR", ""):  # of API descriptions: support/prism.py
    os.environ["OPENAPI_DIR"] = folder

# no test is timed: how long an example takes is the machine's
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without a search for garbage: all of it stays, and a quarter of the time went into that."""
    with garbage.unsearched():
        return (yield)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Cluster]:
    """A real PostgreSQL; skips where there is none."""
    if why := postgres.why_not():
        pytest.skip(why)
    with postgres.running() as cluster:
        yield cluster


@pytest.fixture
def database(postgres_server: Cluster) -> Iterator[Database]:
    """A database of the test's own in it."""
    with postgres_server.database() as database:
        yield database
