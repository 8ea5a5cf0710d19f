"""The parts of the server that take up settings while they run, and what each of them is told."""

import grp
import logging
import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256

from wand_proto.errors import Invalid, NotFound
from wand_server.auth import keyfile
from wand_server.auth.origins import Origins
from wand_server.hostlink.client import HostClient
from wand_server.hostlink.gathered import Kept
from wand_server.integrations.instances import Instances
from wand_server.offers import Choice
from wand_server.orchestrator.choosing import Size
from wand_server.orchestrator.pool import Pool
from wand_server.protocol.kernel import Kernel
from wand_server.settings import Agents, Settings, Stdio
from wand_server.tools.offered import Offered
from wand_server.transports.http import HttpTransport
from wand_server.transports.limits import Rate, Rates
from wand_server.transports.stdio import Admitted, UnixTransport

_NUMBER = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Everything that can be changed without a restart; offers `runtime.Parts`."""

    host: HostClient
    integrations: Instances
    offered: Offered
    kernel: Kernel
    http: HttpTransport
    unix: UnixTransport
    pool: Pool

    def read(self, wanted: Settings) -> Mapping[str, str]:
        """Make sure that all of it can be taken up; who has keys.

        Raises:
            WandError: a part cannot, or the keys cannot be read.
        """
        self.integrations.check(wanted.integrations.instances)
        self.offered.check(choice(wanted))
        admitted(wanted.stdio)
        try:
            found = keyfile.read(wanted.http.keys_file)
        except NotFound:
            found = ()  # there are other ways to sign in
        return {
            f"{key.name} {key.credential}": sha256(repr(asdict(key)).encode()).hexdigest() for key in found
        }

    def apply(self, wanted: Settings) -> None:
        """Take it up; `read` has been asked before."""
        self.host.default_wall_seconds = wanted.execution.default_wall_seconds
        self.host.answer_seconds = wanted.execution.answer_seconds
        self.host.kept = kept(wanted)
        self.http.guard.admit(Origins.of(wanted.http.allowed_hosts, wanted.http.allowed_origins))
        self.http.switch(websocket=wanted.http.websocket, legacy_sse=wanted.http.legacy_sse)
        self.http.limits.change(rates(wanted))
        self.unix.allow(admitted(wanted.stdio))
        self.pool.resize(crew(wanted.agents))
        logging.getLogger().setLevel(wanted.log.level.upper())
        self.integrations.configure(wanted.integrations.instances)
        if self.offered.take(choice(wanted)):
            self.kernel.tools_changed()


def choice(read: Settings) -> Choice:
    """Which tools the settings leave."""
    tools = read.tools
    return Choice(enabled=tools.enabled, disabled=tools.disabled, read_only=tools.read_only)


def crew(read: Agents) -> Size:
    """How many agents the settings want."""
    return Size(count=read.count, most=read.most, queued_each=read.queued_each)


def kept(read: Settings) -> Kept:
    """How much of a stream a result shows."""
    return Kept(head_bytes=read.execution.head_bytes, tail_bytes=read.execution.tail_bytes)


def rates(read: Settings) -> Rates:
    """How often somebody may ask."""
    limits = read.limits
    return Rates(
        principal=Rate(per_second=limits.requests_per_second, burst=limits.burst),
        address=Rate(per_second=limits.address_requests_per_second, burst=limits.address_burst),
        failed_sign_ins=Rate(
            per_second=limits.failed_sign_ins_per_minute / 60, burst=limits.failed_sign_ins_burst
        ),
    )


def admitted(stdio: Stdio) -> Admitted:
    """Who may use the stdio socket, our own user among them.

    Raises:
        Invalid: there is no user or no group of that name.
    """
    uids, gids = map(_uid, stdio.allowed_users), map(_gid, stdio.allowed_groups)
    return Admitted(uids=frozenset({os.geteuid(), *uids}), gids=frozenset(gids))


def _uid(user: str) -> int:
    if _NUMBER.fullmatch(user):
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):  # a name that cannot be one, too
        raise Invalid(f"there is no user {user!r} on this host", field="stdio.allowed_users") from None


def _gid(group: str) -> int:
    if _NUMBER.fullmatch(group):
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        hint = f"make it: groupadd --system {group}"
        raise Invalid(
            f"there is no group {group!r} on this host", field="stdio.allowed_groups", hint=hint
        ) from None
