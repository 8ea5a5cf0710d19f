"""Log records reach systemd's journal whole, with a field for each part."""

import io
import logging
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from wand_hostagent.launcher import log as launcher_log
from wand_proto import journal, logline
from wand_proto.context import REQUEST_ID


def fields(entry: bytes) -> dict[str, str]:
    """An entry, read as systemd documents it."""
    found = {}
    while entry:
        line, _, entry = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", entry[:8])
            value, entry = entry[8 : 8 + length], entry[8 + length + 1 :]
        found[name.decode()] = value.decode()
    return found


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket where the journal would listen, at "journal"."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        sock.bind("journal")
        sock.settimeout(60)
        yield sock


def told(daemon: socket.socket, what: logging.LogRecord) -> dict[str, str]:
    """The entry that the journal gets of a record."""
    with closing(journal.Handler(io.StringIO(), logline.Formatter("server").told, "journal")) as handler:
        handler.emit(what)
        return fields(daemon.recv(65536))


def record(event: str, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"levelname": "WARNING", "msg": event, **extra})


def test_an_entry_has_a_sentence_and_a_field_for_each_part(daemon: socket.socket) -> None:
    token = REQUEST_ID.set("abc")
    try:
        entry = told(daemon, record("job exited", job="j", status=3, token="hunter2"))
    finally:
        REQUEST_ID.reset(token)

    assert entry == {
        "MESSAGE": "job exited request_id=abc job=j status=3 token=[struck out]", "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "wand-server", "WAND_COMPONENT": "server", "WAND_EVENT": "job exited",
        "WAND_REQUEST_ID": "abc", "WAND_JOB": "j", "WAND_STATUS": "3", "WAND_TOKEN": "[struck out]",
    }  # fmt: skip


def test_lines_in_a_text_make_no_fields_of_their_own(daemon: socket.socket) -> None:
    found = told(daemon, record("a\nPRIORITY=0", why="b\nWAND_REQUEST_ID=forged"))

    assert found["PRIORITY"] == "4"
    assert found["WAND_WHY"] == "b\nWAND_REQUEST_ID=forged"
    assert "WAND_REQUEST_ID" not in found


def test_what_the_journal_does_not_take_is_written_as_ever(tmp_path: Path) -> None:
    stream = io.StringIO()
    formatter = logline.Formatter("server")
    with closing(journal.Handler(stream, formatter.told, str(tmp_path / "nobody"))) as handler:
        handler.setFormatter(formatter)
        handler.emit(record("job exited"))

    assert '"event": "job exited"' in stream.getvalue()


def test_the_journal_is_behind_a_stream_whose_device_and_inode_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stream").open("w") as stream:
        about = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{about.st_dev}:{about.st_ino}")
        assert journal.is_behind(stream)
        monkeypatch.setenv("JOURNAL_STREAM", f"{about.st_dev}:{about.st_ino + 1}")
        assert not journal.is_behind(stream)
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not journal.is_behind(stream)
        assert not journal.is_behind(io.StringIO())


def test_the_launcher_s_entries_are_of_the_same_form() -> None:
    found = fields(launcher_log.entry("error", "profile broken", {"profile": "p", "why": ["a\nb"]}))

    assert found == {
        "MESSAGE": 'profile broken profile=p why=["a\\nb"]', "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "wand-launcher", "WAND_COMPONENT": "launcher", "WAND_EVENT": "profile broken",
        "WAND_PROFILE": "p", "WAND_WHY": '["a\\nb"]',
    }  # fmt: skip
