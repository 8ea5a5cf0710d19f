"""Which hosts and origins pass: the table is the documentation."""

import pytest

from wand_proto.errors import Denied
from wand_server.auth.origins import Misdirected, Origins

OURS = Origins.of(["wand.example", "Other.Example:8443"], ["https://App.example/"])

HOSTS = [
    (["127.0.0.1:8080"], True),
    (["localhost"], True),
    (["LOCALHOST:1"], True),
    (["[::1]:8080"], True),
    (["[::1]"], True),
    (["wand.example"], True),
    (["wand.example:9"], True),
    (["other.example:8443"], True),
    (["other.example:8444"], False),
    (["other.example"], False),
    (["127.0.0.2"], False),
    (["localhost.evil.example"], False),
    (["evil.example"], False),
    (["evil@localhost"], False),
    (["localhost@evil.example"], False),
    (["localhost/x"], False),
    (["localhost:port"], False),
    (["[::1"], False),
    ([""], False),
    ([], False),
    (["localhost", "localhost"], False),
]

ORIGINS = [
    ([], True),
    (["http://localhost:3000"], True),
    (["https://127.0.0.1"], True),
    (["https://app.example"], True),
    (["http://app.example"], False),
    (["https://app.example:8443"], False),
    (["https://localhost.evil.example"], False),
    (["https://evil.example"], False),
    (["file://localhost"], False),
    (["null"], False),
    ([""], False),
    (["http://localhost", "http://localhost"], False),
]


@pytest.mark.parametrize(("hosts", "passes"), HOSTS)
def test_a_host_passes_where_it_is_a_name_of_ours(hosts: list[str], *, passes: bool) -> None:
    if passes:
        OURS.check(hosts, [])
    else:
        with pytest.raises(Misdirected, match=r"Host: .+ is no name of this server"):
            OURS.check(hosts, [])


@pytest.mark.parametrize(("origins", "passes"), ORIGINS)
def test_an_origin_passes_where_it_is_here_or_permitted(origins: list[str], *, passes: bool) -> None:
    if passes:
        OURS.check(["localhost"], origins)
    else:
        with pytest.raises(Denied, match=r"Origin: .+ is not permitted"):
            OURS.check(["localhost"], origins)


@pytest.mark.parametrize(
    ("origins", "passes"),
    [([], True), (["https://app.example"], True), (["http://localhost:3000"], False), (["null"], False)],
)
def test_a_page_uses_a_certificate_where_the_settings_name_it(origins: list[str], *, passes: bool) -> None:
    if passes:
        OURS.check_named(origins)
        return
    with pytest.raises(Denied, match="certificate"):
        OURS.check_named(origins)
