"""PostgreSQL: one database, read in read-only transactions, changed in others."""

import csv
import io
import json
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_proto.errors import NotFound
from wand_server.integrations.data.postgresql import statements
from wand_server.integrations.data.postgresql.link import Ceilings, Given, Link, Mode, Server
from wand_server.integrations.kit import BaseIntegration, Download, Resource, Settings, operation
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.content import SaveAs, downloaded
from wand_server.integrations.kit.signin import secret
from wand_server.integrations.kit.tls import Trust

_COPY_BYTES = 8 * 1024 * 1024
_OWN_ROWS = 10_000
_ADVICE = (
    "It may change tables, and only the transaction holds it back: give Wand a role that may read alone "
    "(GRANT SELECT ON … TO …), unless it is to use execute_statement."
)
Query = Annotated[
    str, Field(min_length=1, max_length=100_000, description="one statement, values as $1, $2 …")
]
Parameters = Annotated[list[Any] | None, Field(max_length=1000, description="of $1, $2 …; dates as text")]
Limit = Annotated[int, Field(ge=1, le=10_000)]
Table = Annotated[str, Field(description="with its schema unless that is searched: sales.orders")]
SchemaName = Annotated[str | None, Field(description="all where left out")]


class Column(Resource):
    name: str
    type: str


class Rows(Resource):
    columns: list[Column]
    rows: list[list[Any]]
    is_cut: bool  # there are more rows
    status: str | None = None  # such as "UPDATE 3"


class SchemaFound(Resource):
    name: str
    owner: str
    comment: str | None = None


class TableFound(Resource):
    schema_name: Annotated[str, Field(alias="schema")]
    name: str
    kind: str
    estimated_rows: int
    bytes: int
    comment: str | None = None


class ColumnFound(Resource):
    name: str
    type: str
    nullable: bool
    default: str | None = None
    comment: str | None = None


class Constraint(Resource):
    name: str
    definition: str


class Index(Resource):
    schema_name: Annotated[str, Field(alias="schema")]
    table: str
    name: str
    definition: str
    is_unique: bool
    is_valid: bool
    bytes: int
    scans: int


class Described(Resource):
    columns: list[ColumnFound]
    constraints: list[Constraint]
    indexes: list[Index]


class Active(Resource):
    pid: int
    user: str | None = None
    database: str | None = None
    application: str | None = None
    state: str | None = None
    waits_for: str | None = None
    seconds: float | None = None
    query: str | None = None


class Size(Resource):
    name: str
    bytes: int
    size: str


class Role(Resource):
    name: str
    is_superuser: bool
    server_version: str
    may_change: list[str]  # tables, twenty of them at most
    advice: str | None = None


class PostgreSQL(BaseIntegration):
    """One database, as one role."""

    class Config(Settings):
        """Which database, who signs in, and the most that a statement may take and give."""

        host: str = Field(description="its name, or the folder of its socket")
        port: int = Field(default=5432, ge=1, le=65535, description="of the host")
        database: str = Field(min_length=1, description="its name; another one is another instance")
        user: str = Field(min_length=1, description="a role that may do no more than it has to")
        password: SecretStr | None = None
        tls: Literal["verify", "off"] = Field(
            default="verify", description="off is for this machine, or a network of which you are sure"
        )
        ca: SecretStr | None = Field(default=None, description="file:/PATH of whom to trust, in PEM")
        certificate: SecretStr | None = Field(default=None, description="of the role, in PEM")
        key: SecretStr | None = Field(default=None, description="of that certificate")
        statement_seconds: float = Field(
            default=30, gt=0, le=600, description="the most that a statement may take"
        )
        max_rows: int = Field(default=1000, ge=1, le=10_000, description="the most that is given back")
        max_bytes: int = Field(
            default=40_000,
            ge=1000,
            le=1_000_000,
            description="of rows as JSON, after which no more are given back",
        )
        connections: int = Field(default=4, ge=1, le=50, description="at once")
        superuser: bool = Field(
            default=False, description="let the role be one whom no read-only transaction holds back"
        )

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._link = Link(
            Server(
                host=config.host,
                port=config.port,
                database=config.database,
                user=config.user,
                password=secret(config, "password"),
                tls=None if config.tls == "off" or config.host.startswith("/") else Trust().verifying(config),
                connections=config.connections,
                is_superuser_meant=config.superuser,
            )
        )

    async def cleanup(self) -> None:
        await self._link.close()

    async def health_check(self) -> None:
        await self._ask("SELECT 1")

    @operation(read_only=True)
    async def query_rows(self, query: Query, parameters: Parameters = None, limit: Limit = 100) -> Rows:
        """Read rows with SQL, in a read-only transaction."""
        return await self._rows("READ ONLY", query, parameters, limit)

    @operation(destructive=True)
    async def execute_statement(
        self, query: Query, parameters: Parameters = None, limit: Limit = 100
    ) -> Rows:
        """Change data or tables with SQL: one statement, in a transaction of its own."""
        return await self._rows("READ WRITE", query, parameters, limit)

    @operation(read_only=True)
    async def explain_query(self, query: Query, parameters: Parameters = None) -> list[dict[str, Any]]:
        """Tell how a query would be done, and what it is estimated to cost, without doing it."""
        given = await self._given("READ ONLY", f"EXPLAIN (FORMAT JSON) {query}", parameters or (), 1)
        plan: list[dict[str, Any]] = given.rows[0][0]
        return plan

    @operation(read_only=True)
    async def list_schemas(self) -> list[SchemaFound]:
        """List the schemas."""
        return [SchemaFound.model_validate(one) for one in await self._ask(statements.SCHEMAS)]

    @operation(read_only=True)
    async def list_tables(self, schema_name: SchemaName = None) -> list[TableFound]:
        """List tables and views, with how many rows they have by estimate."""
        return [TableFound.model_validate(one) for one in await self._ask(statements.TABLES, schema_name)]

    @operation(read_only=True)
    async def describe_table(self, table: Table) -> Described:
        """Tell the columns of a table or view, its keys, constraints and indexes."""
        ((oid,),) = (await self._given("READ ONLY", statements.TABLE, (table,), 1)).rows
        if oid is None:
            raise NotFound(
                f"there is no table {table!r:.80}", hint="list_tables tells which there are", field="table"
            )
        return Described(
            columns=[ColumnFound.model_validate(one) for one in await self._ask(statements.COLUMNS, oid)],
            constraints=[
                Constraint.model_validate(one) for one in await self._ask(statements.CONSTRAINTS, oid)
            ],
            indexes=await self.list_indexes(table),
        )

    @operation(read_only=True)
    async def list_indexes(self, table: Table | None = None) -> list[Index]:
        """List indexes with their size, and how often they were used."""
        return [Index.model_validate(one) for one in await self._ask(statements.INDEXES, table)]

    @operation(read_only=True)
    async def list_active_queries(self, *, idle: bool = False) -> list[Active]:
        """List what runs in the database now, for how long, and what it waits for."""
        return [Active.model_validate(one) for one in await self._ask(statements.ACTIVE, idle)]

    @operation(destructive=True, idempotent=True)
    async def cancel_query(
        self, pid: Annotated[int, Field(ge=1, description="from list_active_queries")]
    ) -> bool:
        """End a query that runs, and nothing else of its session."""
        ((ended,),) = (await self._given("READ WRITE", statements.CANCEL, (pid,), 1)).rows
        return bool(ended)

    @operation(read_only=True)
    async def get_database_size(self) -> Size:
        """Tell how large the database is."""
        return Size.model_validate((await self._ask(statements.SIZE))[0])

    @operation(read_only=True)
    async def get_role(self) -> Role:
        """Tell as which role Wand signs in, what that may change, and what would be better."""
        (role,) = await self._ask(statements.ROLE)
        advice = _ADVICE if role["may_change"] or role["is_superuser"] else None
        return Role.model_validate({**role, "advice": advice})

    @operation(read_only=True)
    async def copy_rows(
        self, query: Query, parameters: Parameters = None, limit: Limit = 10_000, save_as: SaveAs = None
    ) -> Download:
        """Read rows as CSV with a header, and keep them in the workspace if need be."""
        given = await self._given("READ ONLY", query, parameters or (), limit, _COPY_BYTES)
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(name for name, _ in given.columns)
        writer.writerows(map(_as_text, given.rows))
        headers = {"content-type": "text/csv; charset=utf-8"}
        answered = Answered(status=200, headers=headers, body=None, raw=out.getvalue().encode("utf-8"))
        return Download(**await downloaded(answered, save_as))

    async def _rows(self, mode: Mode, query: str, parameters: list[Any] | None, limit: int) -> Rows:
        given = await self._given(mode, query, parameters or (), min(limit, self.config.max_rows))
        return Rows(
            columns=[Column(name=name, type=kind) for name, kind in given.columns],
            rows=given.rows,
            is_cut=given.is_cut,
            status=given.status or None,
        )

    async def _ask(self, sql: str, *given: Any) -> list[dict[str, Any]]:
        """The rows of a statement of ours, by the names of their columns."""
        answer = await self._given("READ ONLY", sql, given, _OWN_ROWS, _COPY_BYTES)
        names = [name for name, _ in answer.columns]
        return [dict(zip(names, row, strict=True)) for row in answer.rows]

    async def _given(self, mode: Mode, sql: str, given: Any, rows: int, size: int = 0) -> Given:
        ceilings = Ceilings(
            seconds=self.config.statement_seconds,
            rows=rows,
            bytes=size or self.config.max_bytes,
            whole=mode == "READ WRITE",
        )
        return await self._link.run(mode, sql, given, ceilings)


def _as_text(row: list[Any]) -> list[Any]:
    return [json.dumps(one, ensure_ascii=False) if isinstance(one, dict | list) else one for one in row]
