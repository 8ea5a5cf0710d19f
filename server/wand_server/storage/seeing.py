"""What a database holds, told without changing anything: for `wand-server check` and the doctor."""

from wand_proto.errors import Unavailable
from wand_server.ports import TaskFilter
from wand_server.storage.acts.reading import counts
from wand_server.storage.asking import Act, Moment, row
from wand_server.storage.schema import STEPS

_KNOWN = len(STEPS["tasks"])


def seen(at: Moment) -> Act[str]:
    """In words: the version of its tables, and how many tasks are in which state.

    Raises:
        Unavailable: a newer Wand wrote it.
    """
    if (yield from row("SELECT name FROM @tables AS t WHERE name = 'wand_schema'")) is None:
        return "nothing yet: its tables are made at the start"
    found = yield from row("SELECT version FROM wand_schema WHERE part = 'tasks'")
    version = int(found["version"]) if found else 0
    if version > _KNOWN:
        what = f"its tables have version {version}, and this Wand knows {_KNOWN} at most"
        raise Unavailable(what, hint="start the newer Wand that wrote it, or name another database")
    if version < _KNOWN:
        return f"tables of version {version}, brought to {_KNOWN} at the start"
    many = yield from counts(at, TaskFilter())
    told = ", ".join(f"{n} {state}" for state, n in many.items() if n)
    return f"version {version} of the tables, {told or 'no tasks'}"
