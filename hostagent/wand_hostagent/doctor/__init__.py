"""`wand-hostagent doctor`: what is missing here, and how to get it."""

import argparse
import asyncio
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wand_hostagent import VERSION
from wand_hostagent.doctor import kernel
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.policy.load import PolicyFolder
from wand_hostagent.reports import ProfilesReport
from wand_hostagent.service import listen
from wand_hostagent.settings import DEFAULT_PATH, Settings, load, socket_path
from wand_proto import bundle, layers, looking
from wand_proto.credentials import Identity
from wand_proto.errors import Denied, WandError
from wand_proto.findings import Finding, good, missing, note, tried

_ANSWER_SECONDS = 5.0
_WRITE = "write it, or name another with --settings (docs/reference/settings.md)"
_START = "systemctl start wand-hostagent"
_LEDGER = Path("/var/lib/wand-launcher/ledger")  # of the packaged launcher
_LEDGER_BYTES = 1024**3


def main(words: Sequence[str]) -> int:
    """Print a line for each thing looked at; 1 where something needed is missing."""
    parser = argparse.ArgumentParser(
        prog="wand-hostagent doctor", description="Tell what is missing on this machine, and how to get it."
    )
    parser.add_argument(
        "--settings", type=Path, default=DEFAULT_PATH, metavar="FILE", help="default: %(default)s"
    )
    bundle.add_options(parser)
    asked = parser.parse_args(words)
    found = list(examine(asked.settings))
    return bundle.finish(asked, ("wand-hostagent", VERSION), found, told(asked.settings))


def told(path: Path) -> Mapping[str, Any]:
    """The settings in that file, by their names; where they cannot be read, none."""
    try:
        return {"settings_file": path, **asdict(load(path))}
    except WandError:
        return {"settings_file": path}


def examine(path: Path) -> Iterator[Finding]:
    """Look at everything, in the order in which it is needed."""
    yield good("version", f"wand-hostagent {VERSION}, Python {platform.python_version()}")
    yield looking.linux()
    yield looking.clock()
    try:
        settings = load(path)
    except WandError as error:
        yield from kernel.look(is_development=False)
        yield missing("settings", error.message, error.hint or _WRITE)
        return
    yield from kernel.look(is_development=settings.development)
    yield good("settings", layers.told(path, owners={0, os.geteuid()}))
    yield from certificates(settings, datetime.now(UTC))
    yield tried("policy", lambda: _policy(settings), "wand-hostagent policy check")
    yield tried("spool", lambda: _spool(settings.spool_directory), "the host agent makes it at its start")
    yield from rooms(settings)
    yield from launcher(settings)
    yield from listening(settings)


def certificates(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Whether the certificates can be used, and for how long."""
    identity = settings.tls.identity
    renew = f"wand-hostagent pki ensure --directory {identity.ca.parent}"
    yield tried("key", lambda: _fits(identity), f"{renew}, and run this as root")
    yield looking.secrecy(identity.key)
    for path in (identity.ca, identity.certificate):
        yield looking.validity(path, now, renew)
    if (signing := identity.ca.with_name("ca.key")).exists():
        yield authority_key(signing, signing.stat().st_mode, is_development=settings.development)
    hint = "set peers to the URI in the server's certificate (wand-hostagent pki show)"
    peers = ", ".join(settings.peers)
    yield good("peers", peers) if peers else missing("peers", "none, so nobody may call", hint)


def authority_key(path: Path, mode: int, *, is_development: bool) -> Finding:
    """Whether the key that signs certificates can be read by its owner alone."""
    if mode & 0o077 and not is_development:
        return missing("authority", f"{path} can be read by others than its owner", f"chmod 0600 {path}")
    return good("authority", f"{path} is its owner's alone")


def rooms(settings: Settings) -> Iterator[Finding]:
    """Whether there is room for what is kept, and for the ledger where it lies on another disk."""
    spool = settings.spool_directory
    yield looking.room(spool, settings.kept.disk_bytes)
    if _LEDGER.exists() and spool.exists() and _LEDGER.stat().st_dev != spool.stat().st_dev:
        yield looking.room(_LEDGER, _LEDGER_BYTES)


def launcher(settings: Settings) -> Iterator[Finding]:
    """Whether the launcher answers, and what it guarantees."""
    try:
        report = asyncio.run(_profiles(settings.launcher_socket))
    except WandError as error:
        yield missing("launcher", error.message, error.hint or "systemctl start wand-launcher.socket")
        return
    yield good("launcher", str(settings.launcher_socket))
    names = ", ".join(profile.name for profile in report.profiles)
    hint = "put one into the launcher's folder of profiles (/etc/wand/profiles.d)"
    yield good("profiles", names) if names else missing("profiles", "none", hint)
    for one in report.guarantees:
        yield Finding(name=one.name, is_good=one.enforced, says=one.detail, is_needed=False)


def listening(settings: Settings) -> Iterator[Finding]:
    """Whether the host agent runs, and where it does not, whether others have its addresses."""
    paths = [path for address in settings.listen if (path := socket_path(address))]
    sockets = [*paths, settings.control_socket]
    runs = {path: looking.answers(path) for path in sockets}
    for path, answers in runs.items():
        yield answering(path, answers=answers)
    if not any(runs.values()):
        for address in settings.listen:
            if socket_path(address) is None:
                yield port(address)


def answering(path: Path, *, answers: bool | None) -> Finding:
    """Whether the host agent is at a socket; None: this user cannot know."""
    if answers is None:
        return note("socket", f"{path} is not for this user", "run this as root")
    return (
        good("socket", f"{path} answers") if answers else missing("socket", f"{path}: nobody answers", _START)
    )


def port(address: str) -> Finding:
    """Whether an address of TCP is there to be listened on."""
    host, _, number = address.rpartition(":")
    why = looking.is_free(host.strip("[]"), int(number))
    hint = "stop what listens there, or set another in listen"
    return missing("port", f"{address}: {why}", hint) if why else good("port", f"{address} is free")


async def _profiles(path: Path) -> ProfilesReport:
    async with LauncherLink.open(path, answer_seconds=_ANSWER_SECONDS) as link:
        return await link.profiles()


def _fits(identity: Identity) -> str:
    listen.credentials_of(identity)
    return f"{identity.key} belongs to {identity.certificate}"


def _policy(settings: Settings) -> str:
    policy = PolicyFolder(settings.policy_directory, development=settings.development).current
    return f"{len(policy.rules)} rules in {settings.policy_directory}"


def _spool(folder: Path) -> str:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise Denied(f"{folder} is no folder that we may write")
    return str(folder)
