"""Which addresses belong to the public internet: what a stranger names is fetched from nowhere else.

Written out, since the standard library's own answer has changed between its versions and takes addresses that
lead back into private networks (NAT64, 6to4, Teredo) for public ones.
"""

import ipaddress

_NOT_PUBLIC_4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "224.0.0.0/3",
            "168.63.129.16/32",  # in the public range, and yet a cloud's own service to its machines
        ),
    )
)  # fmt: skip
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        ipaddress.IPv6Network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)


def is_public(address: str) -> bool:
    """Whether that is an address of the public internet, and of nothing that stands for another address."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(read, ipaddress.IPv4Address):
        return not any(read in network for network in _NOT_PUBLIC_4)
    return read in _PUBLIC_6 and not any(read in network for network in _NOT_PUBLIC_6)
