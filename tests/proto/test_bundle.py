"""What a doctor gives away: by names and by looks, no secret is in it."""

import argparse
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from wand_proto import bundle
from wand_proto.errors import Conflict, NotFound
from wand_proto.findings import good, missing

CANARY = "Canary0Canary1Canary2Canary3"
JWT = f"eyJhbGciOiJub25lIn0.{CANARY}.x"
PEM = f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n{CANARY}\n-----END PRIVATE KEY-----"


def written(folder: Path, settings: dict[str, Any], *logs: Path) -> str:
    """All that is in a bundle, as one text."""
    asked = argparse.Namespace(json=False, bundle=folder / "out.tar.gz", log=logs)
    found = [good("a", f"wand_{CANARY}"), missing("b", f"https://me:{CANARY}@wand.example", JWT)]
    assert bundle.finish(asked, ("wand-x", "1"), found, settings) == 1
    assert (folder / "out.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open(folder / "out.tar.gz") as archive:
        files = [archive.extractfile(member) for member in archive.getmembers()]
        names = " ".join(archive.getnames())
        return names + "".join(file.read().decode() for file in files if file)


@pytest.mark.parametrize(
    "settings",
    [
        {"password": CANARY},
        {"oauth.client_secret": CANARY},
        {"table": {"api_key": CANARY}},
        {"list": [{"token": CANARY}]},
        {"access_tokens": [CANARY]},
        {"note": f"Bearer {CANARY}"},
        {"note": PEM},
        {"url": f"https://wand.example/?token={CANARY}"},
        {f"wand_{CANARY}": 1},
    ],
)
def test_no_secret_of_the_settings_is_in_it(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert CANARY not in written(tmp_path, settings)


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"event": "x", "authorization": CANARY}),
        json.dumps({"a": f"token={CANARY}", "password": CANARY}),
        json.dumps({"deep": [{"cookie": CANARY}]}),
        f'{{"password": "{CANARY}", ',  # cut short
        f"Nov 26 10:00:00 host wand: password: {CANARY} and {CANARY}",
        f"GET / Authorization: Bearer {CANARY}",
        f"key = '{CANARY}'",
        PEM,
        PEM.partition("-----END")[0],
    ],
)
def test_no_secret_of_a_log_is_in_it(tmp_path: Path, line: str) -> None:
    log = tmp_path / "x.log"
    log.write_text(f'{{"event": "before"}}\n{line}\n{{"event": "after"}}\n')

    text = written(tmp_path, {}, log)

    assert CANARY not in text
    assert '"before"' in text


def test_variables_are_named_and_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAND_OAUTH__CLIENT_ID", CANARY)
    monkeypatch.setenv("HARMLESS", CANARY)

    text = written(tmp_path, {})

    assert (CANARY in text, "WAND_OAUTH__CLIENT_ID" in text, "HARMLESS" in text) == (False, True, False)


def test_variables_of_ours_and_of_systemd_are_named_and_no_others() -> None:
    ours = ["WAND_X", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "LISTEN_FDS"]
    ours += ["NOTIFY_SOCKET", "INVOCATION_ID"]

    found = bundle.environment(dict.fromkeys([*ours, "HOME", "XWAND_X", "wand_x"], CANARY))

    assert found == dict.fromkeys(sorted(ours), bundle.HIDDEN)


def test_files_are_named_with_their_modes_and_not_contained(tmp_path: Path) -> None:
    key = tmp_path / "x.key"
    key.write_text(CANARY)
    key.chmod(0o640)

    text = written(tmp_path, {"tls.key": key, "listen": ["unix:/no/where"]})

    assert (CANARY in text, f"{key}: mode 100640" in text, "/no/where: No such file" in text) == (
        False,
        True,
        True,
    )


def test_of_a_long_log_the_end_is_taken(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(f"first\n{'x' * 100}\n" * 30_000 + "last\n")

    text = written(tmp_path, {}, log)

    assert "last\n" in text
    assert len(text) < 2.1 * 1024 * 1024


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "out.tar.gz").write_text("mine")

    with pytest.raises(Conflict, match="is there already"):
        written(tmp_path, {})

    assert (tmp_path / "out.tar.gz").read_text() == "mine"


def test_a_log_that_is_not_there_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.log cannot be read"):
        written(tmp_path, {}, tmp_path / "none.log")
    assert not (tmp_path / "out.tar.gz").exists()
