"""Which addresses are somewhere in the public network, by the registries of special ones (IANA).

A name may lead a job to these alone. What Python's `ipaddress` calls global is more: it takes an address
of this machine in an older dress for one of the world.
"""

import socket

_SPECIAL_4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/3",
    "168.63.129.16/32",  # in the public range, and yet a cloud's own service to its machines
)  # fmt: skip
_WORLD_6 = "2000::/3"  # all that is given out; what embeds an IPv4 address otherwise lies outside
# Assignments for protocols (Teredo among them), for documentation, and 6to4, which embeds an IPv4 address.
_SPECIAL_6 = ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

_Block = tuple[int, int]


def _block(text: str, family: int, bits: int) -> _Block:
    """How far an address is shifted to be compared with what."""
    start, _, length = text.partition("/")
    rest = bits - int(length)
    return rest, int.from_bytes(socket.inet_pton(family, start), "big") >> rest


_BLOCKS_4 = tuple(_block(text, socket.AF_INET, 32) for text in _SPECIAL_4)
_BLOCKS_6 = tuple(_block(text, socket.AF_INET6, 128) for text in _SPECIAL_6)
_ALL_6 = _block(_WORLD_6, socket.AF_INET6, 128)


def is_public(packed: bytes) -> bool:
    """Whether an address of 4 or 16 bytes is one of the public network."""
    number = int.from_bytes(packed, "big")
    if len(packed) == 4:
        return not _in_any(number, _BLOCKS_4)
    return _in_any(number, (_ALL_6,)) and not _in_any(number, _BLOCKS_6)


def _in_any(number: int, blocks: tuple[_Block, ...]) -> bool:
    return any(number >> rest == start for rest, start in blocks)
