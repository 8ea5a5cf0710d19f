"""What is sealed before its time is written where it belongs then, whatever comes between."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from support.ledgers import chain, events, records
from wand_hostagent.launcher.ledger import Entry, Ledger
from wand_hostagent.launcher.refusal import Refused

FIRST, SECOND, LAST = (Entry("note", {"job": name}) for name in ("first", "second", "last"))


@pytest.mark.parametrize(
    ("between", "come", "found"),
    [
        ("", [FIRST, LAST], ["first", "last"]),
        ("", [FIRST, SECOND, LAST], ["first", "second", "last"]),
        ("", [LAST], ["last"]),
        ("", [SECOND, FIRST], ["second", "first"]),
        ("append", [FIRST, LAST], ["between", "first", "last"]),
        ("checkpoint", [FIRST, LAST], [None, "first", "last"]),
        ("turn", [FIRST, LAST], [None, None, "first", "last"]),
    ],
)
def test_what_is_sealed_ahead_is_written_where_it_belongs_then(
    tmp_path: Path, between: str, come: list[Entry], found: list[str | None]
) -> None:
    ledger = Ledger(str(tmp_path))
    for ahead in ([FIRST], [FIRST, SECOND] if SECOND in come else [FIRST]):
        ledger.seal_ahead(ahead)
    if between == "append":
        ledger.append([Entry("note", {"job": "between"})])
    elif between:
        getattr(ledger, between)()
    ledger.append(come)
    ledger.close()
    assert [read.fields.get("job") for read in records(tmp_path)[1:]] == found
    assert chain(tmp_path).damage == ""


def test_what_cannot_be_sealed_ahead_is_refused_when_it_comes(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.seal_ahead([Entry("note", {"job": object()})])
    with pytest.raises(TypeError):
        ledger.append([Entry("note", {"job": object()})])
    ledger.append([FIRST])
    ledger.close()
    assert (events(tmp_path), chain(tmp_path).damage) == (["ledger", "note"], "")


def full(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_was_sealed_ahead_is_kept_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.seal_ahead([FIRST])
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(Refused):
            ledger.append([FIRST, LAST])
    ledger.append([FIRST, SECOND])
    ledger.close()
    assert [read.fields.get("job") for read in records(tmp_path)[1:]] == ["first", "second"]
    assert chain(tmp_path).damage == ""
