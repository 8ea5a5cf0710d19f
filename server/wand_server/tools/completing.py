"""What the variables of resources' templates may go on with, as the host tells whoever asks."""

from wand_server.model import Call
from wand_server.ports import Host, List

_MOST_ENTRIES = 5000


async def path(host: Host, call: Call, begun: str) -> tuple[str, ...]:
    """The files and folders whose path begins so; a folder's ends with a slash."""
    folder, slash, name = begun.rpartition("/")
    wanted = List(path=folder or slash, max_entries=_MOST_ENTRIES, hidden=name.startswith("."))
    return tuple(
        f"{folder}{slash}{entry.path}{'/' if entry.kind == 'directory' else ''}"
        for entry in (await host.list_directory(call, wanted)).entries
        if entry.path.startswith(name)
    )


async def job(host: Host, call: Call, begun: str) -> tuple[str, ...]:
    """The caller's jobs whose name begins so."""
    return tuple(one.job for one in await host.list_jobs(call) if one.job.startswith(begun))
