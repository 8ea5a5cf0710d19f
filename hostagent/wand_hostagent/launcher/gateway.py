"""The way out of jobs whose profile has one: whose network is whose, and a record of each connection.

The proxy says that a connection wants to be made in a network. Whose network that is, the launcher knows
itself; the connection is made when its record is on the disk. A network goes to the next job only after the
proxy has said that nothing of the last one is left.
"""

import itertools
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from wand_hostagent.launcher import log
from wand_hostagent.launcher.egress.pace import Pace
from wand_hostagent.launcher.journal import Journal
from wand_hostagent.launcher.ledger import Entry
from wand_hostagent.launcher.refusal import Refused

_MOST_OPEN = 1024  # connections in all; the proxy makes fewer


class Proxy(Protocol):
    """Whoever keeps the proxy; see keeper.py."""

    def tell(self, say: str, fields: Mapping[str, Any], descriptor: int | None = None) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A job in a network."""

    job: str
    profile: str
    principal: str
    destinations: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Network:
    """One network, the door in it, and whose it is; `free` is called when nothing of its job is left."""

    door: socket.socket | None = None
    tenant: Tenant | None = None
    free: Callable[[], None] | None = None
    connections: Pace = field(default_factory=lambda: Pace(64, 8))  # its own, whatever others do
    refusals: Pace = field(default_factory=lambda: Pace(8, 0.25))
    silent: int = 0  # refusals since the last one that was recorded


@dataclass(frozen=True, slots=True)
class Open:
    """A connection that has a record and no end yet."""

    number: int  # in the ledger
    network: int
    tenant: Tenant
    fields: Mapping[str, Any]


class Gateway:
    """All networks that have a door; a network is called by any number that is its own while it lasts."""

    def __init__(self, proxy: Proxy, journal: Journal) -> None:
        self._proxy = proxy
        self._journal = journal
        self._networks: dict[int, Network] = {}
        self._wanted: dict[int, Open] = {}  # by the proxy's number
        self._open: dict[int, Open] = {}
        self._numbers = itertools.count(1)
        self._connections = Pace(1024, 128)  # of all jobs: what a proxy gone mad could have recorded
        self._refusals = Pace(256, 16)
        self._table: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "connect": self._connect, "ended": self._ended, "refused": self._refused, "left": self._left,
            "ready": lambda _: None,
        }  # fmt: skip

    # -- what happens to networks ------------------------------------------------------------------------

    def enter(self, number: int, tenant: Tenant) -> None:
        """A job has that network now."""
        network = self._networks.setdefault(number, Network())
        network.tenant = tenant
        self._take(number, network)

    def opened(self, number: int, door: socket.socket) -> None:
        """The door of that network."""
        network = self._networks.setdefault(number, Network())
        network.door = door
        self._proxy.tell("listen", {"network": number}, door.fileno())
        self._take(number, network)

    def leave(self, number: int, free: Callable[[], None]) -> None:
        """The job is over; `free` is called when the proxy has let go of it, perhaps never."""
        network = self._networks.get(number)
        if network is None or network.door is None:
            self._networks.pop(number, None)
            free()
            return
        network.free = free
        self._proxy.tell("leave", {"network": number})

    def close(self, number: int) -> None:
        """That network is used no more."""
        network = self._networks.pop(number, None)
        if network is not None and network.door is not None:
            self._proxy.tell("forget", {"network": number})
            network.door.close()

    def _take(self, number: int, network: Network) -> None:
        tenant = network.tenant
        if tenant is not None and network.door is not None:
            self._proxy.tell("take", {
                "network": number, "job": tenant.job, "profile": tenant.profile,
                "destinations": list(tenant.destinations),
            })  # fmt: skip

    @property
    def is_waiting(self) -> bool:
        """Whether there is a job of which the proxy may still have to tell."""
        return any(network.tenant is not None for network in self._networks.values())

    # -- the proxy itself --------------------------------------------------------------------------------

    def joined(self) -> None:
        """A new proxy: tell it what there is."""
        for number, network in self._networks.items():
            if network.door is None:
                continue
            self._proxy.tell("listen", {"network": number}, network.door.fileno())
            if network.free is not None:
                self._proxy.tell("leave", {"network": number})
            else:
                self._take(number, network)

    def lost(self) -> None:
        """The proxy is gone, and with it all its connections."""
        self._wanted.clear()
        for one in self._open.values():
            self._end(one, {"why": "the proxy is gone"})
        self._open.clear()

    def hear(self, say: str, fields: Mapping[str, Any], _: int | None) -> None:
        self._table[say](fields)

    # -- connections -------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Put what is wanted on the disk, and only then let it be done."""
        if not self._wanted:
            return
        wanted, self._wanted = self._wanted, {}
        try:
            self._journal.commit([Entry("connect", self._told(one)) for one in wanted.values()])
        except Refused as refusal:
            for connection in wanted:
                self._proxy.tell("deny", {"connection": connection, "why": refusal.message[:300]})
            return
        for connection, one in wanted.items():
            self._open[connection] = one
            self._proxy.tell("go", {"connection": connection})

    def _connect(self, fields: Mapping[str, Any]) -> None:
        network, connection = self._network(fields), fields["connection"]
        tenant = network.tenant if network is not None and network.free is None else None
        known = connection in self._open or connection in self._wanted
        full = len(self._open) + len(self._wanted) >= _MOST_OPEN
        if network is None or tenant is None or known or full or not self._may_connect(network):
            log.write("warning", "connection not recorded", network=fields["network"], full=full)
            self._proxy.tell("deny", {"connection": connection, "why": "there are too many at once"})
            return
        told = {name: fields[name] for name in ("host", "port", "addresses", "tunnel")}
        self._wanted[connection] = Open(next(self._numbers), fields["network"], tenant, told)

    def _may_connect(self, network: Network) -> bool:
        return network.connections.take() or self._connections.take()

    def _told(self, one: Open) -> dict[str, Any]:
        return {**_whose(one.tenant), "connection": one.number, **one.fields}

    def _ended(self, fields: Mapping[str, Any]) -> None:
        one = self._open.pop(fields["connection"], None)
        if one is not None:
            told = {
                "address": fields["address"],
                "sent_bytes": fields["sent"],
                "received_bytes": fields["received"],
            }
            self._end(one, {**told, "seconds": fields["seconds"], "why": fields["why"]})

    def _end_all(self, network: int) -> None:
        """Nothing is left there: what was to be connected is not, and what has not ended ends now."""
        self._wanted = {number: one for number, one in self._wanted.items() if one.network != network}
        for number, one in tuple(self._open.items()):
            if one.network == network:
                del self._open[number]
                self._end(one, {"why": "the job is over"})

    def _end(self, one: Open, told: Mapping[str, Any]) -> None:
        where = {"host": one.fields["host"], "port": one.fields["port"]}
        fields = {"job": one.tenant.job, "connection": one.number, **where, **told}
        self._journal.later(Entry("connect_end", fields))

    def _refused(self, fields: Mapping[str, Any]) -> None:
        network = self._network(fields)
        if network is None or network.tenant is None:
            return
        if not (network.refusals.take() or self._refusals.take()):
            network.silent += 1 + fields["more"]
            return
        told = {**fields, "more": fields["more"] + network.silent}
        network.silent = 0
        self._tell_refusal(network.tenant, told)

    def _tell_refusal(self, tenant: Tenant, fields: Mapping[str, Any]) -> None:
        told = {name: fields[name] for name in ("host", "port", "why", "more")}
        self._journal.later(Entry("connect_refused", {**_whose(tenant), **told}))

    def _left(self, fields: Mapping[str, Any]) -> None:
        network = self._networks.get(fields["network"])
        if network is not None and network.free is not None:
            self._end_all(fields["network"])
            if network.silent and network.tenant is not None:
                rest = {"host": "", "port": 0, "why": "as before", "more": network.silent}
                self._tell_refusal(network.tenant, rest)
            free, network.free, network.tenant, network.silent = network.free, None, None, 0
            free()

    def _network(self, fields: Mapping[str, Any]) -> Network | None:
        return self._networks.get(fields["network"])


def _whose(tenant: Tenant) -> dict[str, Any]:
    return {"job": tenant.job, "profile": tenant.profile, "principal": tenant.principal}
