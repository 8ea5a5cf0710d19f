"""Which names of ours a request may use, and from which web pages it may come: no DNS rebinding."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from wand_proto.errors import Denied

_SHOWN_CHARACTERS = 80
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Misdirected(Denied):
    """The request was meant for somebody else: its Host is no name of ours."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Loopback names, and those that the settings add.

    A host without a port ("wand.example") stands for every port of it. An origin is written whole
    ("https://app.example"); an origin on loopback is always let in, whatever its port.
    """

    hosts: frozenset[str] = field(default_factory=frozenset)
    origins: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> "Origins":
        """The names and pages in a settings file, whatever their case."""
        return cls(
            frozenset(host.lower() for host in hosts),
            frozenset(origin.lower().rstrip("/") for origin in origins),
        )

    def check(self, hosts: list[str], origins: list[str]) -> None:
        """Let a request pass by its Host and Origin headers.

        Raises:
            Misdirected: the Host is missing, doubled or none of ours.
            Denied: the Origin is not permitted.
        """
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            hint = "connect by 127.0.0.1 or localhost, or add the name to http.allowed_hosts in the settings"
            raise Misdirected(f"{_shown(hosts)} is no name of this server", hint=hint, field="Host")
        if origins and (len(origins) > 1 or not self.permits(origins[0])):
            hint = "add the page's origin to http.allowed_origins in the settings"
            raise Denied(f"{_shown(origins)} is not permitted", hint=hint, field="Origin")

    def check_named(self, origins: list[str]) -> None:
        """Let a page pass that the settings name, for a browser brings a certificate whatever page asks.

        Raises:
            Denied: it comes from another page, on loopback perhaps.
        """
        if any(origin.lower() not in self.origins for origin in origins):
            hint = "add the page's origin to http.allowed_origins in the settings, or let it bring a key"
            raise Denied(f"{_shown(origins)} may not use a certificate", hint=hint, field="Origin")

    def _is_ours(self, untrusted: str) -> bool:
        host = untrusted.lower()
        name = _without_port(host)
        return name in _LOOPBACK or name in self.hosts or host in self.hosts

    def permits(self, untrusted: str) -> bool:
        """Whether a page of that origin may ask."""
        origin = untrusted.lower()
        if origin in self.origins:
            return True
        scheme, _, rest = origin.partition("://")
        return scheme in {"http", "https"} and _without_port(rest) in _LOOPBACK


def _shown(untrusted: list[str]) -> str:
    return ", ".join(repr(value[:_SHOWN_CHARACTERS]) for value in untrusted[:2]) or "none"


@lru_cache(maxsize=64)
def _without_port(host: str) -> str:
    """The name in "name:port" where that is all there is; otherwise nothing, which matches no name."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return name if name and parts.netloc == host and "@" not in host else ""
