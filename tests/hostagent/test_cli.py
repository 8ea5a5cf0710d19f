"""The command line: what it knows, and how it fails."""

import subprocess
import sys
from collections.abc import Sequence
from types import ModuleType

import pytest

from wand_hostagent import cli
from wand_proto.errors import Denied

SETTINGS = ("--settings", "/nowhere/a.toml")


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A subcommand `act` whose module each test fills."""
    module = ModuleType("wand_hostagent_act")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(cli.COMMANDS, "act", (module.__name__, "act"))
    return module


def test_a_subcommand_gets_the_words_behind_it(act: ModuleType) -> None:
    got: list[str] = []

    def main(words: Sequence[str]) -> int:
        got.extend(words)
        return 3

    act.main = main  # type: ignore[attr-defined] # made for this test

    assert cli.run(["act", "--a", "b"]) == 3
    assert got == ["--a", "b"]


def test_an_error_of_the_family_is_one_line_and_no_traceback(
    act: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(words: Sequence[str]) -> int:
        raise Denied("no", hint="ask")

    act.main = main  # type: ignore[attr-defined] # made for this test

    assert cli.run(["act"]) == cli.FAILURE
    assert capsys.readouterr().err == "wand-hostagent act: no (ask)\n"


def test_what_a_subcommand_logs_is_not_shown() -> None:
    script = (
        "import logging, sys, types; from wand_hostagent import cli; act = types.ModuleType('act');"
        "act.main = lambda words: logging.getLogger('x').error('logged') or 0; sys.modules['act'] = act;"
        "cli.COMMANDS['act'] = ('act', ''); sys.exit(cli.run(['act']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_an_unknown_subcommand_is_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["srve"]) == cli.USAGE
    assert "serve" in capsys.readouterr().err


def test_no_subcommand_is_a_question_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == cli.USAGE
    assert "usage:" in capsys.readouterr().err


def test_help_and_version_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.endswith("wand-hostagent 0.1.0\n")


@pytest.mark.parametrize(
    "words",
    [
        ["policy", *SETTINGS, "check"],
        ["policy", "check", *SETTINGS],
        ["policy", *SETTINGS, "explain", "--", "ls"],
        ["approve", *SETTINGS, "list"],
        ["approve", "list", *SETTINGS],
    ],
)
def test_the_settings_are_named_before_a_command_or_behind_it(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(words) == cli.FAILURE
    assert "/nowhere/a.toml does not exist" in capsys.readouterr().err
