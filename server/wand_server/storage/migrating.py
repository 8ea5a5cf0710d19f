"""Brings the tables of a database to this version: forward only, each step whole or not at all.

Each part of the tables ("tasks") has a version of its own, which the table `wand_schema` keeps.
"""

from collections.abc import Sequence

from wand_proto.errors import Unavailable
from wand_server.storage.asking import Act, Moment, changed, row, rows
from wand_server.storage.schema import statements

_VERSIONS = "CREATE TABLE IF NOT EXISTS wand_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL)"
_VERSION = "SELECT version FROM wand_schema WHERE part = $1"
_IS_NOW = """INSERT INTO wand_schema (part, version) VALUES ($1, $2)
 ON CONFLICT (part) DO UPDATE SET version = excluded.version"""


def migrate(_at: Moment, part: str, steps: Sequence[str], dialect: str) -> Act[int]:
    """Take the steps that are missing; the version that it had.

    Raises:
        Unavailable: a newer Wand wrote it.
    """
    yield from rows("SELECT @serialized")  # of several that start at once, one does it
    yield from changed(_VERSIONS)
    found = yield from row(_VERSION, part)
    had = int(found["version"]) if found else 0
    if had > len(steps):
        what = (
            f"the database's tables for {part} have version {had}, and this Wand knows {len(steps)} at most"
        )
        raise Unavailable(
            what, hint="start the newer Wand that wrote it, or name another database", field=part
        )
    for step in steps[had:]:
        for statement in statements(step, dialect):
            yield from changed(statement)
    if had < len(steps):
        yield from changed(_IS_NOW, part, len(steps))
    return had
