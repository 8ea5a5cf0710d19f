"""What both doctors look at: figures and files as tables, sockets and ports for real."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support import certificates
from wand_proto import findings, looking
from wand_proto.findings import Finding, good, missing, note

MIB, GIB = 1024**2, 1024**3


def test_a_finding_is_told_with_what_to_do_unless_it_is_good() -> None:
    found = [good("a", "there"), note("b", "old", "renew it"), missing("c", "gone", "make it")]

    assert [finding.line() for finding in found] == [
        "ok      a: there",
        "note    b: old — renew it",
        "MISSING c: gone — make it",
    ]
    assert [finding.table()["state"] for finding in found] == ["ok", "note", "missing"]
    assert [finding.table()["hint"] for finding in found] == ["", "renew it", "make it"]
    assert (findings.is_good(found[:2]), findings.is_good(found)) == (True, False)


@pytest.mark.parametrize(
    ("free_bytes", "free_files", "state", "says"),
    [
        (3 * GIB, 100_000, "ok", "3072 MiB free for /x"),
        (3 * GIB, None, "ok", "3072 MiB free for /x"),  # btrfs has no bound of files
        (2 * GIB, 1000, "ok", "2048 MiB free for /x"),
        (2 * GIB - 1, 100_000, "note", "2047 MiB free for /x"),
        (64 * MIB, 100_000, "note", "64 MiB free for /x"),
        (64 * MIB - 1, 100_000, "missing", "63 MiB free for /x, 100000 files"),
        (63 * MIB, None, "missing", "63 MiB free for /x"),
        (3 * GIB, 999, "missing", "3072 MiB free for /x, 999 files"),
    ],
)
def test_room_is_told_before_it_ends(free_bytes: int, free_files: int | None, state: str, says: str) -> None:
    found = looking.roominess(Path("/x"), free_bytes, free_files, 2 * GIB)

    assert (found.name, found.state, found.says) == ("disk", state, says)
    assert ("2048 MiB may be needed" in found.hint) == (state == "note")


def test_the_disk_of_a_folder_that_is_still_to_be_made_is_that_above_it(tmp_path: Path) -> None:
    assert looking.room(tmp_path / "not" / "yet", 1).state == "ok"


@pytest.mark.parametrize(("days", "state"), [(-11, "missing"), (1, "note"), (8, "note"), (30, "ok")])
def test_a_certificate_is_told_of_before_it_ends(tmp_path: Path, days: int, state: str) -> None:
    (tmp_path / "x.crt").write_bytes(certificates.pem(days=30))

    now = datetime.now(UTC) + timedelta(days=30 - days)

    found = looking.validity(tmp_path / "x.crt", now, "renew")

    assert (found.name, found.state) == ("certificate", state)
    assert (found.hint == "renew") == (state != "ok")


def test_a_certificate_of_tomorrow_tells_of_the_clock(tmp_path: Path) -> None:
    (tmp_path / "x.crt").write_bytes(certificates.pem(days=30))

    found = looking.validity(tmp_path / "x.crt", datetime.now(UTC) - timedelta(days=3), "renew")

    assert (found.name, found.state, "set the clock" in found.hint) == ("certificate", "missing", True)


@pytest.mark.parametrize(
    "look", [lambda path: looking.validity(path, datetime.now(UTC), "make it"), looking.secrecy]
)
def test_what_is_not_there_is_missing(tmp_path: Path, look: Callable[[Path], Finding]) -> None:
    found = look(tmp_path / "none")

    assert (found.state, "No such file" in found.says, found.hint.startswith("make it")) == (
        "missing",
        True,
        True,
    )


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.crt").write_text(text)

    assert "is no certificate in PEM form" in looking.validity(tmp_path / "x.crt", datetime.now(UTC), "").says


def test_of_a_chain_the_first_is_looked_at_whatever_stands_around_it(tmp_path: Path) -> None:
    first, second = certificates.pem(days=30).decode(), certificates.pem(days=1).decode()
    (tmp_path / "x.crt").write_text(f"Bag Attributes\n{first}\n{second}")

    assert looking.validity(tmp_path / "x.crt", datetime.now(UTC), "").state == "ok"


@pytest.mark.parametrize(
    ("mode", "state"), [(0o600, "ok"), (0o400, "ok"), (0o640, "ok"), (0o644, "missing"), (0o660, "missing")]
)
def test_a_key_that_others_can_read_or_write_is_told_of(tmp_path: Path, mode: int, state: str) -> None:
    (tmp_path / "x.key").touch()
    (tmp_path / "x.key").chmod(mode)

    found = looking.secrecy(tmp_path / "x.key")

    assert (found.name, found.state, f"mode {mode:04o}" in found.says) == ("key", state, True)
    assert (f"chmod g-w,o-rwx {tmp_path}" in found.hint) == (state == "missing")


def test_a_credential_of_a_unit_is_nobody_elses_whatever_its_mode_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "x.key").touch()
    (tmp_path / "x.key").chmod(0o444)

    assert looking.secrecy(tmp_path / "x.key").state == "ok"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_a_socket_answers_as_long_as_somebody_is_there(tmp_path: Path, kind: socket.SocketKind) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, kind) as listening:
        listening.bind(str(path))
        listening.listen()
        assert looking.answers(path) is True
    assert looking.answers(path) is False
    assert looking.answers(tmp_path / "none") is False


def test_a_port_that_somebody_has_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert "in use" in looking.is_free("127.0.0.1", port)
    assert looking.is_free("127.0.0.1", port) == ""
    assert looking.is_free("192.0.2.1", port) != ""


@pytest.mark.parametrize(
    ("release", "state"),
    [
        ("6.18.44-fc-v595", "ok"), ("5.13.0", "ok"), ("5.13-rc1", "ok"), ("10.1", "ok"),
        ("5.12.19", "note"), ("4.19.0-26-amd64", "note"), ("of-mine", "note"),
    ],
)  # fmt: skip
def test_a_kernel_without_landlock_is_told_of(
    monkeypatch: pytest.MonkeyPatch, release: str, state: str
) -> None:
    monkeypatch.setattr("platform.release", lambda: release)

    found = looking.linux()

    assert (found.name, found.state, release in found.says) == ("system", state, True)


def test_the_clock_and_the_system_are_told_on_any_machine() -> None:
    assert looking.clock().state in {"ok", "note"}
    assert looking.linux().says.startswith("Linux ")
