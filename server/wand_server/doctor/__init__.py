"""`wand-server doctor`: what is missing for the server here, and how to get it."""

import argparse
import asyncio
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wand_proto import bundle, layers, looking
from wand_proto.context import new_request_id
from wand_proto.credentials import Identity
from wand_proto.errors import NotFound, WandError
from wand_proto.findings import Finding, good, missing, note, tried
from wand_server import accounts, entrance, keeping, live, settings, taskstore
from wand_server.auth import keyfile
from wand_server.auth.keyfile import Key
from wand_server.doctor import listening
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient
from wand_server.hostlink.explain import explain_failure
from wand_server.model import Call, Principal
from wand_server.ports import HostInfo, HostStatus
from wand_server.runtime import changes
from wand_server.settings import Settings
from wand_server.transports import added

_WRITE = (
    "write it (an empty file is a good one), or name another with --settings (docs/reference/settings.md)"
)
_RENEW = "on the host agent's machine: wand-hostagent pki ensure; copy server.crt and server.key"
_OF_OTHERS = ("transports.options", "integrations.instances")
_STATE_BYTES = 256 * 1024**2
_ITSELF = Principal(name="wand-server", means="anonymous")


def main(words: Sequence[str]) -> int:
    """Print a line for each thing looked at; 1 where something needed is missing."""
    parser = argparse.ArgumentParser(
        prog="wand-server doctor", description="Tell what is missing for the server, and how to get it."
    )
    does = "default: %(default)s"
    parser.add_argument("--settings", type=Path, default=settings.DEFAULT_PATH, metavar="FILE", help=does)
    bundle.add_options(parser)
    asked = parser.parse_args(words)
    found = list(examine(asked.settings, os.environ))
    about = "wand-server", version("wand-server")
    return bundle.finish(asked, about, found, told(asked.settings, os.environ))


def told(path: Path, environment: Mapping[str, str]) -> Mapping[str, Any]:
    """The settings by their dotted names; where they cannot be read, none.

    Tables of others (transports, integrations) may hold secrets under any name: of them, the names alone.
    """
    try:
        read = settings.load(path, environment)
    except WandError:
        return {"settings_file": path}
    found = changes.values(read)
    plain = {name: _plain(name, value) for name, value in found.items()}
    return {"settings_file": path, "control_socket": read.control_socket, **plain}


def _plain(name: str, value: Any) -> Any:
    if name in _OF_OTHERS:
        return sorted(value)
    return value if isinstance(value, Path) else changes.shown(name, value)


def examine(path: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything, in the order in which it is needed."""
    ours, now = version("wand-server"), datetime.now(UTC)
    yield good("version", f"wand-server {ours}, Python {platform.python_version()}")
    yield looking.linux()
    yield looking.clock()
    try:
        read = settings.load(path, environment)
    except WandError as error:
        yield missing("settings", str(error), error.hint or _WRITE)
        return
    over = ", ".join(settings.set_by(environment).values())
    files = layers.told(path, owners={0, os.geteuid()})
    yield good("settings", f"{files}{f', and over it {over}' if over else ''}")
    yield from people(read, path, now)
    yield from listening.look(read, now, ours)
    yield from link(read, now, ours)
    fix = "look at tasks.database and tasks.password, and whether PostgreSQL runs"
    yield tried("tasks", lambda: asyncio.run(taskstore.summary(read)), fix)
    yield tried("notes", lambda: asyncio.run(keeping.summary(read)), "look at [memory] in the settings")
    for folder in (read.state.folder, *([read.issuer.folder] if read.issuer.url else [])):
        yield looking.room(folder, _STATE_BYTES)


def people(read: Settings, path: Path, now: datetime) -> Iterator[Finding]:
    """Whether anybody can sign in, in each way that is on."""
    yield keys(read, path, now)
    yield tried("stdio users", lambda: _users(read), "name users that there are in stdio.allowed_users")
    if read.transports.enabled:
        yield tried(
            "transports", lambda: _transports(read), "install the package that has it, or take it out"
        )
    if read.issuer.url:
        hint = f"wand-server people add NAME{settings.option(path)}"
        yield tried("issuer", lambda: asyncio.run(accounts.summary(read.issuer, path)), hint)
    if read.oauth.issuer:
        hint = "look at oauth.issuer, and whether it can be reached from here"
        yield tried("oauth", lambda: asyncio.run(entrance.told(read.oauth)), hint)


def keys(read: Settings, path: Path, now: datetime) -> Finding:
    """Whether there are API keys that count."""
    add = f"wand-server keys add NAME{settings.option(path)}"
    try:
        found = keyfile.read(read.http.keys_file)
    except NotFound:
        return note("keys", f"there is no {read.http.keys_file}: nobody signs in by a key", add)
    except WandError as error:
        return missing("keys", error.message, error.hint or "mend the file, or make another")
    return counted(found, now, add)


def counted(found: Sequence[Key], now: datetime, add: str) -> Finding:
    """The same of keys that were read."""
    over = sorted({key.name for key in found if key.expires is not None and key.expires <= now})
    counting = sorted({key.name for key in found if key.expires is None or key.expires > now})
    if not counting:
        return note("keys", f"none counts; ended: {', '.join(over) or 'none'}", add)
    return good("keys", f"of {', '.join(counting)}")


def link(read: Settings, now: datetime, ours: str) -> Iterator[Finding]:
    """Whether the host agent answers, with which certificates, and in which version."""
    identity = read.hostagent.identity
    yield looking.secrecy(identity.key)
    for path in (identity.ca, identity.certificate):
        yield looking.validity(path, now, _RENEW)
    address = read.hostagent.address
    if why := explain_failure(address, identity):
        yield missing("host agent", why, "wand-hostagent doctor, on its machine, says more")
        return
    try:
        info, status = asyncio.run(_asked(address, identity))
    except WandError as error:
        yield missing("host agent", error.message, error.hint or "wand-hostagent doctor says more")
        return
    yield good("host agent", f"{info.hostname} answers at {address}")
    yield same_version(info.version, ours)
    yield launcher(launcher_up=status.launcher_up)


def same_version(theirs: str, ours: str) -> Finding:
    """Whether both halves are of one version."""
    if theirs == ours:
        return good("versions", f"both halves are {ours}")
    hint = "upgrade the older one; a newer server understands an older host agent, and says what that lacks"
    return note("versions", f"the host agent is {theirs or 'unknown'}, the server {ours}", hint)


def launcher(*, launcher_up: bool) -> Finding:
    """Whether the host agent has its launcher."""
    if launcher_up:
        return good("launcher", "the host agent reaches it")
    return missing(
        "launcher", "the host agent does not reach it", "systemctl start wand-launcher, over there"
    )


async def _asked(address: str, identity: Identity) -> tuple[HostInfo, HostStatus]:
    async with Link(address, identity) as made:
        host = HostClient(link=made)
        call = Call(principal=_ITSELF, request_id=new_request_id())
        return await host.info(call), await host.status(call)


def _users(read: Settings) -> str:
    live.admitted(read.stdio)
    groups = (f"the group {name}" for name in read.stdio.allowed_groups)
    return ", ".join(("the server's own", *read.stdio.allowed_users, *groups))


def _transports(read: Settings) -> str:
    found = added.load(read.transports.enabled, read.transports.options)
    return ", ".join(f"{one.name}, from {one.origin}" for one in found)
