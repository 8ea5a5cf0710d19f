"""PostgreSQL's operations against a real server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from support import certificates, postgres
from support.host import FakeHost, call
from support.localhost import LocalHost, acting
from support.postgres import Database
from support.services import FakeLedger
from wand_proto.errors import (
    Conflict,
    Denied,
    Exhausted,
    Invalid,
    NotFound,
    TimedOut,
    Unavailable,
    WandError,
)
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.data.postgresql import PostgreSQL
from wand_server.integrations.instances import Instances
from wand_server.integrations.kit.secrets import Sources
from wand_server.offers import Choice
from wand_server.tools import named
from wand_server.tools.offered import Offered
from wand_server.tools.registry import Registry

ROLE, PASSWORD = "reader", "password of the reader"
TABLES = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE orders (
    id int PRIMARY KEY, customer text NOT NULL DEFAULT 'ann', total numeric(12,2), at timestamptz,
    about jsonb, tags text[], mood mood, raw bytea, day date, took interval
);
COMMENT ON TABLE orders IS 'what was ordered';
CREATE INDEX by_customer ON orders (customer);
CREATE VIEW large AS SELECT * FROM orders WHERE total > 100;
CREATE SCHEMA sales; CREATE TABLE sales.regions (id int); CREATE SEQUENCE counter;
INSERT INTO orders VALUES
    (1, 'ann', 12.50, '2026-01-02T03:04:05Z', '{"a": [1, null]}', '{x,"y z"}', 'glad', '\\x00ff',
        '0044-03-15 BC', 'P1DT2H'),
    (2, 'bob', 1234567890.12, 'infinity', NULL, NULL, NULL, NULL, NULL, NULL);
"""


@pytest.fixture
def known(database: Database) -> Iterator[Database]:
    """A database with some tables, and a role that may read, and change by rights as well."""
    database.sql(TABLES)
    role = f"{ROLE}_{database.name}"
    database.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    database.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    database.sql(f"GRANT ALL ON orders, counter TO {role}; GRANT CREATE ON SCHEMA public TO {role}")
    yield Database(port=database.port, name=database.name, user=role, password=PASSWORD)
    database.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


@asynccontextmanager
async def opened(one: Database, **more: Any) -> AsyncIterator[PostgreSQL]:
    given = {"host": one.host, "port": one.port, "database": one.name, "user": one.user, "tls": "off"}
    service = PostgreSQL(
        PostgreSQL.Config.model_validate({**given, "password": SecretStr(one.password), **more})
    )
    try:
        yield service
    finally:
        await service.cleanup()


async def do(one: Database, operation: str, given: dict[str, Any] | None = None, **more: Any) -> Any:
    async with opened(one, **more) as service:
        return await service.execute(operation, given or {})


async def test_rows_come_with_their_columns_and_values_as_the_database_spells_them(known: Database) -> None:
    query = "SELECT *, 'NaN'::float8, 2 AS id FROM orders WHERE id = ANY($1) ORDER BY 1"
    answer = await do(known, "query_rows", {"query": query, "parameters": [[1, 2]]})
    assert [one["name"] for one in answer["columns"]][-2:] == ["float8", "id"]
    assert answer["rows"][0] == [
        1, "ann", "12.50", "2026-01-02 03:04:05+00", {"a": [1, None]}, ["x", "y z"], "glad", "\\x00ff",
        "0044-03-15 BC", "P1DT2H", "nan", 2,
    ]  # fmt: skip
    assert answer["rows"][1][2:4] == ["1234567890.12", "infinity"]
    assert answer["is_cut"] is False
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize(
    ("query", "given", "found"),
    [
        ("SELECT $1::timestamptz = '2026-01-02'", ["2026-01-02T00:00:00Z"], True),
        ("SELECT $1::numeric + 1", [1.5], "2.5"),
        ("SELECT $1::jsonb -> 'a'", [{"a": "é"}], "é"),
        ("SELECT count(*) FROM orders WHERE customer = $1", ["ann'; DROP TABLE orders; --"], 0),
        ("SELECT $1::text[]", [["a,b", 'c"d']], ["a,b", 'c"d']),
        ("SELECT ROW(1, 'a')", [], [1, "a"]),
        ("SELECT tstzrange('2026-01-02', NULL)::text", [], '["2026-01-02 00:00:00+00",)'),
        ("SELECT ARRAY['[1,3)', 'empty', '(,5)']::int4range[]", [], ["[1,3)", "empty", "(,5)"]),
        ("SHOW transaction_read_only", [], "on"),
        ("SELECT 1 -- of one", [], 1),
    ],
)
async def test_parameters_are_values_and_never_sql(
    known: Database, query: str, given: list[Any], found: Any
) -> None:
    answer = await do(known, "query_rows", {"query": query, "parameters": given})
    assert answer["rows"] == [[found]]


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO orders (id) VALUES (3)",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        "SELECT nextval('counter')",
        "CREATE TABLE more (id int)",
        "DO $$ BEGIN DELETE FROM orders; END $$",
        "DO $$ BEGIN COMMIT; DELETE FROM orders; END $$",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT 1; DELETE FROM orders",
        "COMMIT; DELETE FROM orders",
        "COPY orders FROM PROGRAM 'echo 3'",
        "SELECT id FROM orders FOR UPDATE",
        "EXPLAIN ANALYZE DELETE FROM orders",
    ],
)
@pytest.mark.parametrize("operation", ["query_rows", "explain_query", "copy_rows"])
async def test_what_reads_changes_nothing(
    known: Database, database: Database, query: str, operation: str
) -> None:
    explains = operation == "explain_query"
    try:
        await do(known, operation, {"query": query})
    except (Denied, Invalid, Conflict):
        pass
    else:  # a plan of it is no deed
        assert explains
        assert not query.startswith(("DO", "SELECT 1;", "COMMIT", "COPY", "CREATE"))
    assert database.sql("SELECT count(*), (SELECT is_called FROM counter) FROM orders") == "2|f"


@pytest.mark.parametrize(
    "query",
    [
        "COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "SET TRANSACTION READ WRITE",
        "SET default_transaction_read_only = off", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SELECT pg_advisory_lock(7)", "PREPARE later AS DELETE FROM orders", "SET statement_timeout = 0",
        "BEGIN READ WRITE",
    ],
)  # fmt: skip
async def test_a_session_keeps_nothing_of_the_statement_before(known: Database, query: str) -> None:
    async with opened(known, connections=1) as service:
        with suppress(WandError):
            await service.execute("query_rows", {"query": query})
        with pytest.raises(Denied, match="read-only"):
            await service.execute("query_rows", {"query": "DELETE FROM orders RETURNING 1"})
        with pytest.raises(WandError):
            await service.execute("query_rows", {"query": "EXECUTE later"})
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        left = f"SELECT ({locks}), current_setting('statement_timeout')"
        assert (await service.execute("query_rows", {"query": left}))["rows"] == [[0, "30s"]]


async def test_a_statement_that_changes_is_done_whole_or_not_at_all(known: Database) -> None:
    async with opened(known) as service:
        insert = "INSERT INTO orders (id, total) VALUES ($1, $2), (4, 1) RETURNING id"
        answer = await service.execute("execute_statement", {"query": insert, "parameters": [3, "9.99"]})
        assert (answer["rows"], answer["status"]) == ([[3], [4]], "INSERT 0 2")
        with pytest.raises(Conflict, match="duplicate key"):
            await service.execute("execute_statement", {"query": insert, "parameters": [5, "1"]})
        count = await service.execute("query_rows", {"query": "SELECT array_agg(id ORDER BY id) FROM orders"})
        assert count["rows"] == [[[1, 2, 3, 4]]]
        made = await service.execute("execute_statement", {"query": "CREATE TABLE made (id int)"})
        assert (made["columns"], made["rows"], made["status"]) == ([], [], "CREATE TABLE")


async def test_a_statement_that_takes_too_long_is_ended_by_the_database(
    known: Database, database: Database
) -> None:
    with pytest.raises(TimedOut, match="statement timeout"):
        await do(known, "query_rows", {"query": "SELECT pg_sleep(60)"}, statement_seconds=0.3)
    assert (
        database.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(60)%' AND state = 'active'"
        )
        == "1"
    )


async def test_no_more_rows_or_bytes_are_given_back_than_may_be(known: Database) -> None:
    many = {"query": "SELECT n, repeat('é', 100) FROM generate_series(1, 1000000) n", "limit": 10_000}
    by_rows = await do(known, "query_rows", many, max_rows=7, max_bytes=100_000)
    assert (len(by_rows["rows"]), by_rows["is_cut"]) == (7, True)
    by_bytes = await do(known, "query_rows", many, max_bytes=2100)
    assert (len(by_bytes["rows"]), by_bytes["is_cut"]) == (10, True)
    exact = await do(known, "query_rows", {"query": "SELECT 1 FROM generate_series(1, 5)", "limit": 5})
    assert (len(exact["rows"]), exact["is_cut"]) == (5, False)


async def test_a_row_that_would_fill_our_memory_ends_the_connection(known: Database) -> None:
    async with opened(known) as service:
        with pytest.raises(Exhausted, match="larger than may be read"):
            await service.execute("query_rows", {"query": "SELECT repeat('x', 100000000)"})
        assert (await service.execute("query_rows", {"query": "SELECT 1"}))["rows"] == [[1]]


@pytest.mark.parametrize(
    ("query", "parameters", "kind", "says"),
    [
        ("SELEC 1", [], Invalid, "syntax error"),
        ("SELECT * FROM nowhere", [], Invalid, "does not exist"),
        ("SELECT 1/0", [], Invalid, "division by zero"),
        ("SELECT $1::int", ["a"], Invalid, r"\$1 does not fit"),
        ("SELECT $1::int", [], Invalid, "expects 1 argument"),
        ("SELECT daterange('2026-01-02', NULL)", [], Invalid, "range"),
        ("SELECT $1::timestamptz", ["yesterday-ish"], Invalid, "invalid input syntax"),
        ("SELECT rolpassword FROM pg_authid", [], Denied, "permission denied"),
        ("SELECT pg_read_file('/etc/passwd')", [], Denied, "permission denied"),
    ],
)
async def test_what_is_wrong_is_said(
    known: Database, query: str, parameters: list[Any], kind: type[WandError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        await do(known, "query_rows", {"query": query, "parameters": parameters})


async def test_tables_are_told_with_what_belongs_to_them(known: Database) -> None:
    async with opened(known) as service:
        schemas = await service.execute("list_schemas", {})
        assert {"public", "sales"} <= {one["name"] for one in schemas}
        tables = await service.execute("list_tables", {"schema_name": "public"})
        assert {(one["name"], one["kind"]) for one in tables} == {("orders", "table"), ("large", "view")}
        told = await service.execute("describe_table", {"table": "orders"})
        assert told["columns"][0] == {"name": "id", "type": "integer", "nullable": False}
        assert told["columns"][1]["default"] == "'ann'::text"
        assert told["constraints"][0]["definition"] == "PRIMARY KEY (id)"
        assert {one["name"] for one in told["indexes"]} == {"orders_pkey", "by_customer"}
        assert len(await service.execute("list_indexes", {})) == 2
        with pytest.raises(NotFound, match="no table"):
            await service.execute("describe_table", {"table": "nowhere"})
        plan = await service.execute(
            "explain_query", {"query": "SELECT * FROM orders WHERE id = $1", "parameters": [1]}
        )
        assert "Plan" in plan[0]
        assert (await service.execute("get_database_size", {}))["bytes"] > 1_000_000


async def test_a_query_that_runs_is_seen_and_can_be_ended(known: Database) -> None:
    async with opened(known) as service:
        slow = asyncio.create_task(service.execute("query_rows", {"query": "SELECT pg_sleep(50)"}))
        pid = await _running(service, "SELECT pg_sleep(50)")
        assert await service.execute("cancel_query", {"pid": pid}) is True
        with pytest.raises(TimedOut, match="user request"):
            await slow


async def _running(service: PostgreSQL, query: str) -> int:
    async with asyncio.timeout(60):
        while True:
            for one in await service.execute("list_active_queries", {}):
                if one.get("query") == query and one["state"] == "active":
                    return int(one["pid"])


async def test_who_gives_up_ends_the_query(known: Database) -> None:
    async with opened(known) as service:
        slow = asyncio.create_task(service.execute("query_rows", {"query": "SELECT pg_sleep(55)"}))
        await _running(service, "SELECT pg_sleep(55)")
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        active = await service.execute("list_active_queries", {})
        assert "SELECT pg_sleep(55)" not in [one.get("query") for one in active]


async def test_rows_are_kept_in_the_workspace_as_csv(known: Database, tmp_path: Path) -> None:
    async with opened(known) as service:
        query = {"query": "SELECT id, about, 'a,\"é' AS c FROM orders ORDER BY id"}
        told = await acting(LocalHost(workspace=tmp_path), service, "copy_rows", query)
        assert told["text"] == 'id,about,c\r\n1,"{""a"": [1, null]}","a,""é"\r\n2,,"a,""é"\r\n'


async def test_the_role_is_told_with_advice(known: Database, database: Database) -> None:
    told = await do(known, "get_role")
    assert (told["is_superuser"], told["may_change"]) == (False, ["orders"])
    assert "GRANT SELECT" in told["advice"]
    database.sql(f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON orders FROM {known.user}")
    assert "advice" not in await do(known, "get_role")


async def test_a_superuser_is_refused_unless_it_is_meant(database: Database) -> None:
    with pytest.raises(Denied, match="superuser") as refused:
        await do(database, "query_rows", {"query": "SELECT 1"})
    assert "CREATE ROLE" in refused.value.hint
    assert (await do(database, "query_rows", {"query": "SELECT 1"}, superuser=True))["rows"] == [[1]]


async def test_a_wrong_password_or_address_is_said_and_the_environment_is_not_asked(
    known: Database, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPASSWORD": known.password, "PGHOST": known.host, "PGSSLMODE": "disable"}.items():
        monkeypatch.setenv(name, value)
    for password in ("another", ""):
        with pytest.raises(Denied, match="password"):
            await do(known, "query_rows", {"query": "SELECT 1"}, password=SecretStr(password))
    with pytest.raises(Unavailable, match="cannot be reached"):
        await do(known, "query_rows", {"query": "SELECT 1"}, port=1)
    with pytest.raises(Unavailable) as plain:
        await do(known, "query_rows", {"query": "SELECT 1"}, tls="verify")
    assert 'set tls = "off"' in plain.value.hint


async def test_a_server_is_believed_by_its_certificate_and_name() -> None:
    if why := postgres.why_not():
        pytest.skip(why)
    ask = {"query": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"}
    with postgres.running(tls=True) as cluster:
        one = Database(port=cluster.port, name="postgres", host="localhost")
        known = {
            "tls": "verify",
            "superuser": True,
            "ca": SecretStr((cluster.folder / "cert.pem").read_text()),
        }
        assert (await do(one, "query_rows", ask, **known))["rows"] == [[True]]
        for wrong in ({"ca": None}, {"ca": SecretStr(certificates.pem(days=1).decode())}):
            with pytest.raises(Unavailable, match="certificate verify failed"):
                await do(one, "query_rows", ask, **{**known, **wrong})
        with pytest.raises(Unavailable, match="match"):
            await do(replace(one, host="127.0.0.2"), "query_rows", ask, **known)


async def test_who_may_only_read_may_query(known: Database) -> None:
    table = {"host": known.host, "port": known.port, "user": known.user, "tls": "off", "password": "env:PG"}
    ledger, sources = FakeLedger(), Sources({"PG": known.password})
    instances = Instances(Catalog(), ledger, lambda: "a1", sources)
    instances.configure({"postgresql:shop": {**table, "database": known.name}})
    tools = Offered(Registry(FakeHost(), named.entries(instances)), Choice(read_only=True))
    given = {"query": "SELECT id FROM orders WHERE id = $1", "parameters": [2], "instance": "postgresql:shop"}
    try:
        result = await tools.call("postgres_query", given, call())
        refused = await tools.call(
            "postgres_query", {**given, "query": "DELETE FROM orders WHERE id = $1"}, call()
        )
    finally:
        await instances.close()
    assert result.structured["result"]["rows"] == [[2]]
    assert refused.text.startswith("Denied: postgresql:shop: ")
    assert [one[:2] for one in ledger.told][:2] == [
        ("begins", "postgresql:shop.query_rows"),
        ("ended", "done"),
    ]
