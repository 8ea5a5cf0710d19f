"""`wand-hostagent doctor`: what is missing here, and how to get it."""

import argparse
import asyncio
import ctypes
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.policy.load import PolicyFolder
from wand_hostagent.reports import ProfilesReport
from wand_hostagent.settings import DEFAULT_PATH, Settings, load
from wand_proto import tls
from wand_proto.errors import Denied, WandError

_SOON = timedelta(days=14)
_ANSWER_SECONDS = 5.0
_WRITE = "write it, or name another with --settings (docs/reference/settings.md)"
_LANDLOCK_CREATE_RULESET, _LANDLOCK_VERSION = 444, 1  # landlock_create_ruleset(2)
_KERNEL = (  # what to do where it is not there stands last
    ("seccomp", Path("/proc/sys/kernel/seccomp/actions_avail"), "a kernel built with CONFIG_SECCOMP_FILTER"),
    ("cgroup v2", Path("/sys/fs/cgroup/cgroup.controllers"), "boot with systemd.unified_cgroup_hierarchy=1"),
    ("process namespaces", Path("/proc/self/ns/pid"), "a kernel built with CONFIG_PID_NS"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: whether it is as it must be, and else what to do."""

    name: str
    is_good: bool
    says: str
    hint: str = ""
    is_needed: bool = True

    def line(self) -> str:
        mark = "ok     " if self.is_good else "MISSING" if self.is_needed else "note   "
        hint = f" — {self.hint}" if self.hint and not self.is_good else ""
        return f"{mark} {self.name}: {self.says}{hint}"


def main(words: Sequence[str]) -> int:
    """Print a line for each thing looked at; 1 where something needed is missing."""
    parser = argparse.ArgumentParser(
        prog="wand-hostagent doctor", description="Tell what is missing on this machine, and how to get it."
    )
    parser.add_argument(
        "--settings", type=Path, default=DEFAULT_PATH, metavar="FILE", help="default: %(default)s"
    )
    findings = examine(parser.parse_args(words).settings)
    worst = 0
    for finding in findings:
        sys.stdout.write(finding.line() + "\n")
        worst |= finding.is_needed and not finding.is_good
    return int(worst)


def examine(path: Path) -> Iterator[Finding]:
    """Look at everything, in the order in which it is needed."""
    yield from kernel()
    try:
        settings = load(path)
    except WandError as error:
        yield Finding(name="settings", is_good=False, says=error.message, hint=error.hint or _WRITE)
        return
    yield Finding(name="settings", is_good=True, says=str(path))
    yield from certificates(settings, datetime.now(UTC))
    yield _tried("policy", lambda: _policy(settings), "wand-hostagent policy check")
    yield _tried("spool", lambda: _spool(settings.spool_directory), "the host agent makes it at its start")
    yield from launcher(settings)


def kernel() -> Iterator[Finding]:
    """What the kernel can do to confine a command."""
    abi = ctypes.CDLL(None, use_errno=True).syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    says = f"ABI {abi}" if abi > 0 else os.strerror(ctypes.get_errno())
    yield Finding(
        name="Landlock",
        is_good=abi > 0,
        says=says,
        hint="Linux 5.13 or newer, booted with lsm=landlock,…",
        is_needed=False,
    )
    for name, path, hint in _KERNEL:
        is_there = path.exists()
        says = "there" if is_there else "not found"
        yield Finding(name=name, is_good=is_there, says=says, hint=hint, is_needed=False)


def certificates(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Whether the certificates can be used, and for how long."""
    identity = tls.Identity(settings.tls.ca, settings.tls.certificate, settings.tls.key)
    yield _tried("key", lambda: _fits(identity), "wand-hostagent pki show")
    for path in (identity.ca, identity.certificate):
        yield validity(path, now)
    yield Finding(
        name="peers",
        is_good=bool(settings.peers),
        says=", ".join(settings.peers) or "none, so nobody may call",
        hint="set peers to the URI in the server's certificate (wand-hostagent pki show)",
    )


def validity(path: Path, now: datetime) -> Finding:
    """Whether a certificate is good now, and how long yet."""
    hint = f"wand-hostagent pki ensure --directory {path.parent}"
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        return Finding(name="certificate", is_good=False, says=f"{path} cannot be read: {error}", hint=hint)
    since, until = found.not_valid_before_utc, found.not_valid_after_utc
    if not since <= now < until:
        says = f"{path} is good from {since:%Y-%m-%d} to {until:%Y-%m-%d} only"
        return Finding(name="certificate", is_good=False, says=says, hint=hint)
    says = f"{path} ends in {(until - now).days} days"
    return Finding(name="certificate", is_good=until - now > _SOON, says=says, hint=hint, is_needed=False)


def launcher(settings: Settings) -> Iterator[Finding]:
    """Whether the launcher answers, and what it guarantees."""
    try:
        report = asyncio.run(_profiles(settings.launcher_socket))
    except WandError as error:
        yield Finding(name="launcher", is_good=False, says=error.message, hint=error.hint)
        return
    yield Finding(name="launcher", is_good=True, says=str(settings.launcher_socket))
    names = ", ".join(profile.name for profile in report.profiles)
    hint = "put one into the launcher's folder of profiles (/etc/wand/profiles.d)"
    yield Finding(name="profiles", is_good=bool(names), says=names or "none", hint=hint)
    for one in report.guarantees:
        yield Finding(name=one.name, is_good=one.enforced, says=one.detail, is_needed=False)


async def _profiles(path: Path) -> ProfilesReport:
    async with LauncherLink.open(path, answer_seconds=_ANSWER_SECONDS) as link:
        return await link.profiles()


def _fits(identity: tls.Identity) -> str:
    tls.server_credentials(identity)
    return f"{identity.key} belongs to {identity.certificate}"


def _policy(settings: Settings) -> str:
    policy = PolicyFolder(settings.policy_directory, development=settings.development).current
    return f"{len(policy.rules)} rules in {settings.policy_directory}"


def _spool(folder: Path) -> str:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise Denied(f"{folder} is no folder that we may write")
    return str(folder)


def _tried(name: str, look: Callable[[], str], hint: str) -> Finding:
    try:
        return Finding(name=name, is_good=True, says=look())
    except WandError as error:
        return Finding(name=name, is_good=False, says=error.message, hint=error.hint or hint)
