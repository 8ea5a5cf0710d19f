"""The command line: what it names is loaded, what it does not know is refused with what there is."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from wand_server import cli
from wand_server.auth import keyfile


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "usage: wand-server COMMAND"),
        (["serv"], 2, "'serv' is no command; there are: serve, stdio, embedded, agent, check, config, keys"),
        (["--help"], 0, "wand-server COMMAND --help tells more"),
        (["--version"], 0, version("wand-server")),
        (["serve", "--settings", "/nowhere/x.toml"], 1, "wand-server serve: /nowhere/x.toml does not exist"),
        (["check", "--settings", "/nowhere/x.toml"], 1, "wand-server check: /nowhere/x.toml does not exist"),
        (
            ["people", "list", "--settings", "/nowhere/x.toml"],
            1,
            "not exist (--settings FILE names another; ",
        ),
        (
            ["config", "--settings", "/no/y", "show", "--settings", "/nowhere/x.toml"],
            1,
            "/nowhere/x.toml does",
        ),
        (["config", "--settings", "/nowhere/x.toml", "show", "--json"], 1, "/nowhere/x.toml does not exist"),
        (["embedded", "/nowhere"], 1, "/nowhere is no folder"),
        (["stdio", "--embedded", "/nowhere"], 1, "/nowhere is no folder"),
    ],
)
def test_every_command_line_ends_with_a_status_and_a_word(
    words: list[str],
    status: int,
    said: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path(os.devnull).open() as nothing:  # a pipe that does not start answers what its client asks
        monkeypatch.setattr(sys, "stdin", nothing)
        assert cli.run(words) == status

    printed = capfd.readouterr()
    assert said in printed.out + printed.err


def test_the_pipe_loads_next_to_nothing() -> None:
    pipe = "from wand_server import cli; cli.run(['stdio', '-x'])"

    assert loaded_by(pipe) == {"wand_server", "importlib", "warnings", "_socket", "select"}


def test_the_supervisor_loads_the_standard_library_alone() -> None:
    supervisor = "from wand_server import cli, embedded, loading"

    assert loaded_by(supervisor) - sys.stdlib_module_names == {"wand_server", "wand_proto"}


def loaded_by(code: str) -> set[str]:
    """The packages that are loaded by code, beside those that Python loads at any start."""

    def loaded(code: str) -> set[str]:
        code = f"import sys; {code}; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
        return {name.partition(".")[0] for name in done.stdout.split()}

    return loaded(code) - loaded("pass")


def test_a_check_says_what_is_wrong_with_the_way_to_the_host_agent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keyfile.add(tmp_path / "keys.toml", "ci")
    keyfile.rotate(tmp_path / "keys.toml", "ci", keep_seconds=60)
    settings = tmp_path / "server.toml"
    settings.write_text('[http]\nkeys_file = "keys.toml"\n[hostagent]\naddress = "unix:agent.sock"\n')
    settings.chmod(0o600)

    assert cli.run(["check", "--settings", str(settings)]) == 1
    out = capsys.readouterr().out
    assert "the link: " in out
    assert "keys.toml: ci\n" in out
