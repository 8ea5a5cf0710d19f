"""What the doctor says of the server's places, as tables."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support import certificates, serverside
from wand_server import doctor
from wand_server.auth.keyfile import Key
from wand_server.doctor import listening
from wand_server.doctor.listening import Served
from wand_server.settings import Http, Tls

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("http", "speaks_tls", "state"),
    [
        (Http(), False, "ok"),
        (Http(host="localhost"), False, "ok"),
        (Http(host="::1"), False, "ok"),
        (Http(host="0.0.0.0"), False, "note"),
        (Http(host="192.0.2.1"), False, "note"),
        (Http(host="wand.example"), False, "note"),
        (Http(host="0.0.0.0"), True, "ok"),
        (Http(allowed_hosts=("wand.example",)), False, "note"),
        (Http(allowed_hosts=("wand.example",), trusted_proxies=("127.0.0.1",)), False, "ok"),
    ],
)
def test_keys_in_the_open_and_proxies_that_nobody_trusts_are_told_of(
    http: Http, *, speaks_tls: bool, state: str
) -> None:
    assert listening.exposure(http, speaks_tls=speaks_tls).state == state


@pytest.mark.parametrize(
    ("held", "name", "fits"),
    [
        ("wand.example", "wand.example", True),
        ("Wand.Example", "wand.example", True),
        ("*.example", "wand.example", True),
        ("*.example", "a.wand.example", False),
        ("*.example", "example", False),
        ("wand.example", "evil.wand.example", False),
        ("192.0.2.1", "192.0.2.1", True),
    ],
)
def test_a_certificate_is_for_its_names_and_one_below_a_star(held: str, name: str, *, fits: bool) -> None:
    assert listening.is_for(held, name) is fits


@pytest.mark.parametrize(
    ("host", "name"),
    [("wand.example", "wand.example"), ("wand.example:8443", "wand.example"), ("[::1]:8001", "::1")],
)
def test_a_name_that_is_allowed_may_have_a_port(host: str, name: str) -> None:
    assert listening.without_port(host) == name


@pytest.mark.parametrize(
    ("held", "names", "state"),
    [
        ("wand.example", ("wand.example",), "ok"),
        ("wand.example", ("wand.example:8443",), "ok"),
        ("wand.example", ("other.example",), "missing"),
        ("wand.example", (), "note"),
        ("localhost", (), "ok"),
    ],
)
def test_names_that_the_certificate_lacks_are_told(
    tmp_path: Path, held: str, names: tuple[str, ...], state: str
) -> None:
    serverside.tls(tmp_path, held)

    assert listening.covered(tmp_path / "tls.crt", names).state == state


def test_a_key_of_another_certificate_is_told_of(tmp_path: Path) -> None:
    ours, theirs = certificates.good(tmp_path)
    read = Tls(certificate=ours.certificate, key=theirs.key)

    states = [(found.name, found.state) for found in listening.certificates(read, (), datetime.now(UTC))]

    assert states[0] == ("tls", "missing")
    assert ("certificate", "ok") in states


@pytest.mark.parametrize(
    ("served", "state", "hint"),
    [
        (Served(version="1"), "ok", ""),
        (Served(version="0"), "note", "restart"),
        (Served(version=""), "missing", "stop what listens there"),
        (None, "missing", "start"),
    ],
)
def test_who_is_on_the_port_is_told(served: Served | None, state: str, hint: str) -> None:
    found = listening.port(Http(port=0), served, "1")

    assert (found.state, hint in found.hint) == (state, True)


@pytest.mark.parametrize(
    ("answers", "runs", "state"), [(True, True, "ok"), (None, False, "note"), (False, False, "missing")]
)
def test_a_socket_is_told(*, answers: bool | None, runs: bool, state: str) -> None:
    assert listening.unix(Path("/x"), answers=answers, runs=runs).state == state


def test_another_certificate_than_that_in_the_file_is_told_of(tmp_path: Path) -> None:
    serverside.tls(tmp_path, "wand.example")

    assert listening.shown(tmp_path / "tls.crt", b"other").state == "note"


@pytest.mark.parametrize(
    ("ends", "state", "says"),
    [
        ([None], "ok", "of k0"),
        ([timedelta(days=1), timedelta(days=-1)], "ok", "of k0"),
        ([timedelta(days=-1)], "note", "none counts; ended: k0"),
        ([], "note", "none counts; ended: none"),
    ],
)
def test_keys_that_count_are_named(ends: list[timedelta | None], state: str, says: str) -> None:
    keys = [
        Key(name=f"k{number}", sha256="0" * 64, created=NOW, expires=None if end is None else NOW + end)
        for number, end in enumerate(ends)
    ]

    found = doctor.counted(keys, NOW, "add one")

    assert (found.state, found.says) == (state, says)


@pytest.mark.parametrize(("theirs", "state"), [("1.2", "ok"), ("1.1", "note"), ("", "note")])
def test_halves_of_different_versions_are_told_of(theirs: str, state: str) -> None:
    assert doctor.same_version(theirs, "1.2").state == state
