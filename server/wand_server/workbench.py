"""Builds the tools over the link, from the settings: for the server, and for agents beside it."""

import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wand_proto.context import new_request_id
from wand_server import keeping, live
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient
from wand_server.hostlink.recording import OperationLedger
from wand_server.integrations import callback
from wand_server.integrations.accounts import AccountsFile
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Around, Instances
from wand_server.integrations.kit.consent import Accounts, Consents, InMemory
from wand_server.integrations.kit.secrets import Sources
from wand_server.keeping import Keeping
from wand_server.settings import Settings
from wand_server.tools import added as added_tools
from wand_server.tools import named, operations
from wand_server.tools.direct import Operations
from wand_server.tools.offered import Offered
from wand_server.tools.registry import Entry, Registry, tool_registry

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """The link, and all that can be done over it and at services outside."""

    link: Link
    host: HostClient
    consents: Consents
    integrations: Instances
    offered: Offered
    kept: Keeping


async def build(
    read: Settings, parts: contextlib.AsyncExitStack, more: Callable[[], Iterable[Entry]] = tuple
) -> Workbench:
    """All of it; `more` are tools beside those.

    Raises:
        WandError: a part cannot start; the message says which, and why.
    """
    link = await parts.enter_async_context(Link(read.hostagent.address, read.hostagent.identity))
    host = HostClient(
        link=link,
        default_wall_seconds=read.execution.default_wall_seconds,
        answer_seconds=read.execution.answer_seconds,
        kept=live.kept(read),
    )
    consents = _consents(read)
    kept = await parts.enter_async_context(keeping.opened(read))
    around = Around(host=host, consents=consents, cache=kept.cache, meaning=kept.meaning)
    integrations = _integrations(read, host, around)
    parts.push_async_callback(integrations.close)
    _add_tools(read)
    direct = Operations(integrations, read.integrations.direct)
    entries = (
        *kept.entries(), *more(), *tool_registry.entries(), *operations.entries(integrations),
        *named.entries(integrations),
    )  # fmt: skip
    offered = Offered(Registry(host, entries, direct, kept.around()), live.choice(read))
    return Workbench(
        link=link, host=host, consents=consents, integrations=integrations, offered=offered, kept=kept
    )


def _add_tools(read: Settings) -> None:
    for package in added_tools.load(read.tools.added):
        log.info("tools added", extra={"tools": package.tools, "origin": package.origin})


def _consents(read: Settings) -> Consents:
    """What people let services do for them.

    Raises:
        WandError: it cannot be kept where the settings say.
    """
    given = read.integrations
    accounts: Accounts = InMemory()
    if given.accounts_file is not None:
        key = Sources().read(given.accounts_key, "integrations.accounts_key")
        accounts = AccountsFile(given.accounts_file, key)
    return Consents(f"{given.address.rstrip('/')}{callback.PATH}" if given.address else "", accounts)


def _integrations(read: Settings, host: HostClient, around: Around) -> Instances:
    """The services outside, as they are configured."""
    instances = Instances(Catalog(), OperationLedger(host), new_request_id, around=around)
    instances.check(read.integrations.instances)
    instances.configure(read.integrations.instances)
    return instances
