"""`doctor` before a Wand that runs, and before one that does not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support import certificates, hostagent
from wand_hostagent import cli, doctor


def test_where_all_is_there_nothing_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with hostagent.running() as wand:
        status = cli.run(["doctor", "--settings", str(wand.settings)])

    said = capsys.readouterr().out
    assert (status, "MISSING" in said) == (0, False)
    assert "ok      profiles: developer" in said
    assert "process tree" in said


def test_what_is_missing_is_named_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with hostagent.prepared() as wand:
        (wand.pki / "hostagent.key").unlink()
        (wand.folder / "policy.d/policy.toml").write_text("[[rules]]")
        status = cli.run(["doctor", "--settings", str(wand.settings)])

    missing = [line for line in capsys.readouterr().out.splitlines() if line.startswith("MISSING")]
    assert status == cli.FAILURE
    assert [line.split()[1] for line in missing] == ["key:", "policy:", "launcher:"]
    assert all(" — " in line for line in missing)


def test_settings_that_cannot_be_read_end_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["doctor", "--settings", str(tmp_path / "none.toml")]) == cli.FAILURE

    assert "MISSING settings" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(("days", "mark"), [(-11, "MISSING"), (1, "note"), (8, "note"), (30, "ok")])
def test_a_certificate_is_told_of_before_it_ends(tmp_path: Path, days: int, mark: str) -> None:
    certificates.good(tmp_path)
    now = datetime.now(UTC)
    leaf = certificates.issue(
        tmp_path,
        certificates.authority_of(tmp_path),
        certificates.SERVER,
        days=days + 20,
        since=now - timedelta(days=20, minutes=-5),
    )

    assert doctor.validity(leaf.certificate, now).line().split()[0] == mark
