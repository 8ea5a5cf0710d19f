"""The first key is given out once; what is removed was checked, and what is left still verifies."""

import os
from pathlib import Path

import pytest

from support.ledgers import grown
from wand_hostagent.audit import command, verify


def test_the_first_key_is_given_out_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = grown(tmp_path / "ledger")
    assert command.main(["key", str(folder)]) == 0
    (tmp_path / "kept").write_text(capsys.readouterr().out)
    assert command.main(["key", str(folder)]) == 1
    assert command.main(["verify", str(folder), "--key", str(tmp_path / "kept")]) == 0
    assert "seals: checked" in capsys.readouterr().out


def test_old_files_are_removed_and_the_rest_still_verifies(tmp_path: Path) -> None:
    folder = grown(tmp_path / "ledger")
    key = ["--key", str(folder / "first.key")]
    assert command.main(["prune", str(folder), "--before", "1d"]) == 0
    assert len(verify.files_of([folder])) == 3
    assert command.main(["prune", str(folder), "--before", "0s", *key]) == 0
    assert [path.name for path in verify.files_of([folder])] == ["ledger.jsonl"]
    assert command.main(["verify", str(folder), *key]) == 0
    (folder / "pruned.json").unlink()
    assert command.main(["verify", str(folder), *key]) == 1


def test_files_are_removed_from_the_first_on_and_no_gap_is_left(tmp_path: Path) -> None:
    folder = grown(tmp_path / "ledger")
    first = verify.files_of([folder])[0]
    os.utime(first, (2**32, 2**32))  # as a copy that was brought back has it
    assert command.main(["prune", str(folder), "--before", "0s"]) == 0
    assert len(verify.files_of([folder])) == 3


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prune that has removed one file of two."""
    unlink, done = Path.unlink, list[Path]()

    def dies(path: Path, *, missing_ok: bool = False) -> None:
        done.extend([path] if path.suffix == ".jsonl" else [])
        if len(done) > 1:
            raise OSError("killed")
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", dies)
        assert command.main(["prune", str(folder), "--before", "0s"]) == 1
    assert len(verify.files_of([folder])) == 2


def test_a_prune_that_died_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = grown(tmp_path / "ledger")
    interrupted(folder, monkeypatch)
    assert command.main(["prune", str(folder), "--before", "0s"]) == 0
    assert [path.name for path in verify.files_of([folder])] == ["ledger.jsonl"]
    assert command.main(["verify", str(folder), "--key", str(folder / "first.key")]) == 0


def test_what_was_changed_since_a_prune_died_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = grown(tmp_path / "ledger")
    interrupted(folder, monkeypatch)
    path = verify.files_of([folder])[0]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"touch", b"tauch", 1))
    assert command.main(["prune", str(folder), "--before", "0s"]) == 1
    assert path.exists()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_nothing_is_removed_from_a_ledger_that_is_damaged_anywhere(
    tmp_path: Path, which: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = grown(tmp_path / "ledger")
    path = verify.files_of([folder])[which]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"touch", b"tauch", 1))
    assert command.main(["prune", str(folder), "--before", "0s"]) == 1
    assert f"{path.name}, line" in capsys.readouterr().err
    assert len(verify.files_of([folder])) == 3
