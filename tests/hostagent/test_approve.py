"""What a person sees of what waits, at a terminal that is root's."""

from pathlib import Path
from typing import Any

import pytest

from wand_hostagent import approve

EVIL = "a\x1b]0;b\x07"


@pytest.mark.parametrize("words", [["list"], ["show", "1"], ["yes", "1"], ["no", "1"]])
def test_nothing_of_an_approval_moves_the_terminal(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ("id", "state", "principal", "message", "client", "digest")
    told: dict[str, Any] = {name: f"{name} {EVIL}" for name in texts}
    told |= {"expires_unix_seconds": 0.0, "shows": {EVIL: EVIL, f"l{EVIL}": [EVIL], f"t{EVIL}": {EVIL: EVIL}}}
    monkeypatch.setattr(approve, "ask", lambda *_: {"approvals": [told]})

    settings = tmp_path / "hostagent.toml"
    settings.touch()

    assert approve.main([*words, "--settings", str(settings)]) == 0
    shown = capsys.readouterr().out
    assert r"\x1b" in shown
    assert all(line.isprintable() for line in shown.split("\n"))
