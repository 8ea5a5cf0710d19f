"""From where a request comes that proxies passed on: as far as those are trusted, and no further."""

import ipaddress

import pytest

from wand_server import forwarded

TRUSTED = tuple(map(ipaddress.ip_network, ("127.0.0.1", "10.0.0.0/8", "::1")))


@pytest.mark.parametrize(
    ("peer", "lines", "origin"),
    [
        ("127.0.0.1", [], "127.0.0.1"),  # the proxy itself
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7, 10.1.2.3"], "198.51.100.7"),  # through two
        ("127.0.0.1", ["198.51.100.7", "10.1.2.3"], "198.51.100.7"),  # on two lines
        ("127.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),  # what a client wrote counts nothing
        ("127.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("::1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        (
            "127.0.0.1",
            ["198.51.100.7:4711"],
            "127.0.0.1",
        ),  # no address: better the proxy's than a made-up one
        ("127.0.0.1", [""], "127.0.0.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # no proxy of ours
        ("", ["198.51.100.7"], ""),
    ],
)
def test_an_address_is_believed_as_far_as_proxies_are_trusted(
    peer: str, lines: list[str], origin: str
) -> None:
    assert forwarded.origin(peer, lines, TRUSTED) == origin


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert forwarded.origin("127.0.0.1", ["198.51.100.7"], ()) == "127.0.0.1"
