"""Has what an administrator's command changes on record before it holds.

The command asks the host agent itself, as the server would: whether the server runs does not matter.
"""

import asyncio
import os
import pwd

from wand_proto.errors import TimedOut
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient
from wand_server.hostlink.explain import explain_failure
from wand_server.hostlink.recording import record_change
from wand_server.runtime.changes import in_a_line
from wand_server.settings import Settings

_PATIENCE_SECONDS = 4.0  # less than others wait for the issuer's database, which is held meanwhile


async def record(read: Settings, change: str, digests: tuple[str, str] = ("", "")) -> str:
    """Have it written into the ledger; where no host agent can be reached, why, and otherwise nothing.

    `digests` are of what is changed, before and after, where it has any.

    Raises:
        WandError: the host agent is there and cannot write it: then it must not be done.
    """
    address, identity = read.hostagent.address, read.hostagent.identity
    if why := await asyncio.to_thread(explain_failure, address, identity):
        return why
    try:
        async with (
            asyncio.timeout(_PATIENCE_SECONDS),
            Link(address, identity, patience_seconds=_PATIENCE_SECONDS) as link,
        ):
            await record_change(HostClient(link=link), _user(), digests, (in_a_line(change),))
    except TimeoutError:
        said = f"the host agent has not written it into the ledger within {_PATIENCE_SECONDS:g} s"
        raise TimedOut(f"{said}; nothing was changed", hint="wand-hostagent doctor may say why") from None
    return ""


def told(why_not: str) -> str:
    """A line that says whether it is in the ledger."""
    return f"NOT in the ledger: {why_not}.\n" if why_not else "It is in the ledger.\n"


def _user() -> str:
    """Who types the command, by number and, where there is one, by name."""
    uid = os.getuid()
    try:
        return f"{uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return str(uid)
