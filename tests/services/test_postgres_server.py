"""The PostgreSQL that tests are given: real, and a database for each."""

import asyncpg
import pytest

from support.postgres import Cluster, Database


def test_a_database_is_new_and_gone_afterwards(postgres_server: Cluster, database: Database) -> None:
    assert database.sql("SELECT current_database(), current_user") == f"{database.name}|postgres"
    with postgres_server.database() as second:
        assert database.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{second.name}'") == "1"
    assert database.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{second.name}'") == "0"


async def test_a_client_gets_in_with_the_password_alone(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database.url, password="another")
