"""The ledger is read back page by page, over all of its files, each record once."""

import json
import os
import shutil
from pathlib import Path

import pytest

from support.ledgers import grown, records
from wand_hostagent.launcher import lookback
from wand_hostagent.launcher.ledger import Entry, Ledger
from wand_hostagent.launcher.refusal import Refused


def read_back(ledger: Ledger) -> list[int]:
    """The numbers of all records, from the last page to the first."""
    seen: list[int] = []
    before: int | None = None
    while lines := ledger.last(before):
        seen = [json.loads(line)["seq"] for line in lines] + seen
        before = seen[0]
    return seen


@pytest.mark.parametrize("most", [1, 400, 1000, 64 * 1024])
def test_every_record_is_on_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(lookback, "MOST_BYTES", most)
    folder = grown(tmp_path / "ledger")
    ledger = Ledger(str(folder))
    assert read_back(ledger) == [record.seq for record in records(folder)]
    ledger.close()


def test_any_number_says_where_a_page_ends(tmp_path: Path) -> None:
    folder = grown(tmp_path / "ledger")
    ledger, every = Ledger(str(folder)), records(folder)
    for before in (*range(1, len(every) + 1), 10**14):
        last = json.loads(ledger.last(before)[-1])["seq"]
        assert last == min(before, len(every)) - 1
    assert ledger.last(0) == []
    ledger.close()


def test_a_record_longer_than_a_message_is_named_and_passed(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append([Entry("run", {"job": "a"}), Entry("run", {"job": "b", "argv": ["x" * 100_000]})])
    (line,) = ledger.last()
    told = json.loads(line)
    assert (told["seq"], told["unread"]) == (2, "audit show has it")
    assert told["bytes"] > 100_000
    assert [json.loads(line)["seq"] for line in ledger.last(2)] == [0, 1]
    ledger.close()


def test_what_was_removed_ends_it(tmp_path: Path) -> None:
    folder = grown(tmp_path / "ledger")
    ledger = Ledger(str(folder))
    min(folder.glob("ledger-*.jsonl")).unlink()
    assert 0 < read_back(ledger)[0] < 20
    ledger.close()


@pytest.mark.parametrize("spoil", ["link", "fifo", "text"])
def test_what_is_no_file_of_the_ledger_is_not_read(tmp_path: Path, spoil: str) -> None:
    folder = grown(tmp_path / "ledger")
    ledger, kept = Ledger(str(folder)), min(folder.glob("ledger-*.jsonl"))
    if spoil == "link":
        shutil.move(kept, tmp_path / "elsewhere")
        kept.symlink_to(tmp_path / "elsewhere")
    else:
        kept.unlink()
        os.mkfifo(kept) if spoil == "fifo" else kept.write_text("no record\n" * 9)
    with pytest.raises(Refused, match="the ledger cannot be read"):
        ledger.last(3)
    ledger.close()
