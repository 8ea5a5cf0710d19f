"""The task store and its bus, as the settings want them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from types import ModuleType

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
    async with _reaching().in_database(given.database, _password(read), given.keep_seconds) as both:
        yield both


async def summary(read: Settings) -> str:
    """Where tasks are and how many of them, in words; nothing is changed.

    Raises:
        WandError: as `opened` does.
    """
    if read.tasks_file is not None:
        return await opening.look(read.tasks_file)
    told: str = await _reaching().look(read.tasks.database, _password(read))
    return told


def _reaching() -> ModuleType:
    return import_module("wand_server.storage.reaching")  # the driver is loaded where it is used alone


def _password(read: Settings) -> str:
    given = read.tasks.password
    return Sources().read(given, "tasks.password") if given else ""
