"""The task store and its bus, as the settings want them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from wand_server.integrations.kit.secrets import Sources
from wand_server.ports import TaskBus, TaskStore
from wand_server.settings import Settings
from wand_server.storage import opening


@asynccontextmanager
async def opened(read: Settings) -> AsyncIterator[tuple[TaskStore, TaskBus]]:
    """Both, while entered; the tables of the database are brought to this version first.

    Raises:
        Denied: others may read or write the file.
        NotFound, Invalid: the password is not where the settings say.
        Unavailable: the database cannot be used, or a newer Wand wrote it.
    """
    given, path = read.tasks, read.tasks_file
    if path is not None:
        async with opening.in_file(path, given.keep_seconds) as both:
            yield both
        return
    password = Sources().read(given.password, "tasks.password") if given.password else ""
    reaching = import_module("wand_server.storage.reaching")  # the driver is loaded where it is used alone
    async with reaching.in_database(given.database, password, given.keep_seconds) as both:
        yield both
