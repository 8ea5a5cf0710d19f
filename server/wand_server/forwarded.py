"""From which address a request comes that trusted proxies passed on (X-Forwarded-For)."""

import ipaddress
from collections.abc import Collection, Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
HEADER = "X-Forwarded-For"


def origin(peer: str, lines: Sequence[str], trusted: Collection[Network]) -> str:
    """Where a request comes from, through trusted proxies as far as they go.

    `peer` is the address at the other end of the connection, `lines` what the request says in HEADER. What
    stands left of the first address that is no proxy's, anybody could have written, and it is not read.
    """
    hops = ",".join(lines).split(",") if trusted else []
    address = peer
    while hops and is_in(address, trusted):
        before = hops.pop().strip()
        if not is_address(before):
            break
        address = before
    return address


def is_address(untrusted: str) -> bool:
    """Whether that is an address at all."""
    try:
        ipaddress.ip_address(untrusted)
    except ValueError:
        return False
    return True


def is_in(address: str, networks: Iterable[Network]) -> bool:
    """Whether that is an address of one of those networks."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return False
    inside = read.ipv4_mapped if isinstance(read, ipaddress.IPv6Address) else None
    return any((inside or read) in network for network in networks)
