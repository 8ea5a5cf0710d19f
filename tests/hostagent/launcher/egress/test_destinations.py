"""Who may be reached: a table of entries and requests."""

import socket

import pytest

from wand_hostagent.launcher.egress.addresses import is_public
from wand_hostagent.launcher.egress.destinations import MOST, Unclear, read, read_all, read_target

LISTED = read_all([
    "site.example:443", "*.files.example:80", "192.0.2.7:8443", "[2001:db8::7]:443", "Git.Example:9418",
])  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "permitted"),
    [
        ("site.example:443", True),
        ("SITE.example:443", True),
        ("site.example:80", False),
        ("site.example:4430", False),
        ("a.site.example:443", False),
        ("notsite.example:443", False),
        ("site.example.evil.example:443", False),
        ("a.files.example:80", True),
        ("b.a.files.example:80", True),
        ("files.example:80", False),
        ("xfiles.example:80", False),
        ("a.files.example:443", False),
        ("git.example:9418", True),
        ("192.0.2.7:8443", True),
        ("192.0.2.7:443", False),
        ("192.0.2.70:8443", False),
        ("[2001:db8::7]:443", True),
        ("[2001:DB8:0::7]:443", True),
        ("[2001:db8::8]:443", False),
        ("127.0.0.1:443", False),
    ],
)
def test_a_destination_permits_itself_and_nothing_that_looks_like_it(asked: str, *, permitted: bool) -> None:
    assert LISTED.permits(read_target(asked)) is permitted


@pytest.mark.parametrize(
    "text",
    [
        "2130706433:80", "0x7f000001:80", "0x7f.1:80", "0177.0.0.1:80", "127.1:80", "127.0.0.01:80",
        "1.2.3.4.5:80",
        "256.1.1.1:80", "[::1%lo]:80", "[fe80::1%25eth0]:80", "::1:80", "[127.0.0.1]:80", "①②⑦.⓪.⓪.①:80",
        "127。0。0。1:80", "ⓛocalhost:80", "a..example:80", ".example:80", "site.example.:443",
        "-a.example:80",
        "a-.example:80", "site.example:0", "site.example:65536", "site.example:+80", "site.example:٨٠",
        "site.example: 80", "site.example:80 ", "site.example", "site.example:", ":80", "",
        "user@site.example:80",
        "site.example\0.evil.example:443", "a/b:80", "*.site.example:80", "site.example:443\n",
        "site example:80",
        f"{'a' * 64}.example:80", f"{'a.' * 127}example:80", "[]:80", "[::1:80", "::1]:80", "0x:80",
        "a.0x1f:80",
    ],
)  # fmt: skip
def test_what_has_another_spelling_is_no_host(text: str) -> None:
    with pytest.raises(Unclear):
        read_target(text)


@pytest.mark.parametrize(
    "entry",
    [
        "*:443", "*.*.example:443", "**.example:80", "a.*.example:443", "*.192.0.2.1:80", "0.0.0.0:80",
        "[::]:80",
        "[::ffff:10.0.0.1]:80", "https://site.example:443", "10.0.0.0/8:443", "site.example:*",
    ],
)  # fmt: skip
def test_an_entry_that_means_too_much_or_nothing_is_refused_by_name(entry: str) -> None:
    with pytest.raises(Unclear) as caught:
        read_all([entry])
    assert repr(entry) in str(caught.value)


def test_a_list_is_no_longer_than_one_message_carries() -> None:
    read_all([f"a{number}.example:443" for number in range(MOST)])
    with pytest.raises(Unclear):
        read_all([f"a{number}.example:443" for number in range(MOST + 1)])


@pytest.mark.parametrize(
    "entry", ["*.files.example:80", "192.0.2.7:8443", "[2001:db8::7]:443", "a_b.example:1"]
)
def test_an_entry_is_printed_as_it_is_written(entry: str) -> None:
    assert str(read(entry)) == entry


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("1.1.1.1", True), ("172.15.255.255", True), ("172.32.0.1", True),
        ("100.63.255.255", True), ("100.128.0.1", True), ("198.20.0.1", True), ("2606:4700::1111", True),
        ("2a00::1", True), ("2001:4860::8888", True),
        ("0.0.0.0", False), ("0.1.2.3", False), ("10.0.0.5", False), ("100.64.0.1", False), ("127.0.0.1",
        False),
        ("127.255.255.254", False), ("169.254.169.254", False), ("172.16.0.1", False), ("172.31.255.255",
        False),
        ("192.168.1.1", False), ("192.0.0.192", False), ("192.0.2.1", False), ("198.18.0.1", False),
        ("203.0.113.9", False), ("224.0.0.1", False), ("240.0.0.1", False), ("255.255.255.255", False),
        ("168.63.129.16", False), ("100.100.100.200", False),
        ("::", False), ("::1", False), ("::127.0.0.1", False), ("::ffff:169.254.169.254", False),
        ("::ffff:1.1.1.1", False), ("64:ff9b::a9fe:a9fe", False), ("64:ff9b:1::1", False), ("100::1", False),
        ("2001::1", False), ("2001:db8::1", False), ("2002:7f00:1::1", False), ("3fff::1", False),
        ("5f00::1", False), ("fc00::1", False), ("fd00:ec2::254", False), ("fe80::1", False), ("fec0::1",
        False),
        ("ff02::1", False),
    ],
)  # fmt: skip
def test_an_address_is_public_or_leads_somewhere_near(address: str, *, public: bool) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    assert is_public(socket.inet_pton(family, address)) is public
