"""Three questions: what is written for which answers, what is refused, and that nothing is written over."""

import argparse
import os
import pwd
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from support.running import COMMAND
from wand_proto.errors import Conflict, Invalid
from wand_server import settings, setup
from wand_server.setup import texts

USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def asked(folder: Path, /, **said: Any) -> argparse.Namespace:
    """A command line, whole but for what is said."""
    words = {
        "folder": folder / "work", "may": "work", "reach": "here", "user": USER, "name": None,
        "certificate": None, "key": None, "directory": folder, "show": False,
    }  # fmt: skip
    return argparse.Namespace(**(words | said))


def written(folder: Path, /, **said: Any) -> dict[str, Any]:
    """What stands in the files, by their names."""
    given = setup.answers(asked(folder, **said), None)
    setup.write(*setup.wanted(given, folder))
    paths = [*folder.rglob("*.toml")]
    return {str(path.relative_to(folder)): tomllib.loads(path.read_text()) for path in paths}


@pytest.mark.parametrize("may", list(texts.MAY))
@pytest.mark.parametrize("reach", ["here", "https://wand.example"])
def test_a_profile_rules_and_settings_are_written(tmp_path: Path, may: str, reach: str) -> None:
    found = written(tmp_path, may=may, reach=reach)

    assert found["profiles.d/work.toml"]["workspace"] == str(tmp_path / "work")
    rules = found["policy.d/60-work.toml"]["rule"]
    assert {rule["principals"][0] for rule in rules} == {USER}
    assert len({rule["name"] for rule in rules}) == len(rules)
    assert ("ask" in {rule["verdict"] for rule in rules}) is (may != "look")
    read = settings.load(tmp_path / "server.toml", {})
    assert read.stdio.allowed_users == (USER,)
    assert read.http.host == "127.0.0.1"
    assert read.http.allowed_hosts == (() if reach == "here" else ("wand.example",))


def test_with_a_certificate_the_server_does_tls_itself(tmp_path: Path) -> None:
    pair = {"certificate": tmp_path / "x.crt", "key": tmp_path / "x.key"}
    written(tmp_path, reach="https://wand.example:8443", **pair)

    read = settings.load(tmp_path / "server.toml", {})

    assert (read.tls.certificate, read.http.host, read.http.port) == (tmp_path / "x.crt", "0.0.0.0", 8443)
    assert read.http.trusted_proxies == ()


def test_the_file_of_a_package_is_added_to_and_keeps_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text('# mine\n[stdio]\nallowed_groups = ["wand"]\n')
    (tmp_path / "server.toml").chmod(0o640)

    written(tmp_path, reach="https://wand.example")

    text = (tmp_path / "server.toml").read_text()
    assert text.startswith('# mine\n[stdio]\nallowed_groups = ["wand"]\n')
    assert (tmp_path / "server.toml").stat().st_mode & 0o777 == 0o640
    read = settings.load(tmp_path / "server.toml", {})
    assert (read.stdio.allowed_users, read.http.allowed_hosts) == ((), ("wand.example",))


@pytest.mark.parametrize("there", ["profiles.d/work.toml", "policy.d/60-work.toml"])
def test_no_file_is_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir()
    (tmp_path / there).write_text("mine")

    with pytest.raises(Conflict, match="is there already; nothing was written"):
        written(tmp_path)

    assert [path.read_text() for path in tmp_path.rglob("*.toml")] == ["mine"]


def test_settings_that_say_something_else_are_not_changed(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text("[http]\nport = 9000\n")

    with pytest.raises(Conflict, match=r"has \[http\] already.*allowed_hosts = \[\"wand.example\"\]"):
        written(tmp_path, reach="https://wand.example")

    assert [*tmp_path.rglob("*.toml")] == [tmp_path / "server.toml"]


def test_what_cannot_be_written_whole_is_not_written_in_part(tmp_path: Path) -> None:
    given = setup.answers(asked(tmp_path), None)
    files, _ = setup.wanted(given, tmp_path)

    with pytest.raises(Invalid):
        setup.write(files, {tmp_path / "server.toml": "[http]\nport = 'x'\n"})

    assert not [*tmp_path.rglob("*.toml")]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"folder": None}, "--folder: is needed, for there is no terminal"),
        ({"may": None}, "--may: is needed"),
        ({"may": "all"}, "--may: must be one of look, ask, work"),
        ({"reach": None}, "--reach: is needed"),
        ({"reach": "wand.example"}, "--reach: must be here, or like https://wand.example"),
        ({"reach": "http://wand.example"}, "--reach: must be here"),
        ({"reach": "https://wand.example/mcp"}, "--reach: must be here"),
        ({"user": "no-such-user"}, "--user: there is no user 'no-such-user'"),
        ({"user": "root"}, "--user: commands do not run as root"),
        ({"name": "../x"}, "--name: '../x' is no name of a profile"),
        ({"folder": Path("/")}, "--folder: '/' is no folder for agents"),
        ({"certificate": Path("/x")}, "--certificate: goes together with --key"),
        ({"certificate": Path("/x"), "key": Path("/y")}, "--certificate: needs --reach"),
    ],
)
def test_an_answer_that_is_none_is_refused_by_its_option(
    tmp_path: Path, said: dict[str, Any], says: str
) -> None:
    with pytest.raises(Invalid) as why:
        setup.answers(asked(tmp_path, **said), None)

    assert str(why.value).startswith(says)


def test_at_a_terminal_what_the_options_do_not_say_is_asked(tmp_path: Path) -> None:
    questions: list[str] = []
    said = iter(["", "https://wand.example/"])

    def ask(question: str) -> str:
        questions.append(question)
        return next(said)

    given = setup.answers(asked(tmp_path, may=None, reach=None), ask)

    assert (given.may, given.reach, len(questions)) == ("work", "https://wand.example", 2)
    assert questions[0].endswith("[work]: ")


def test_a_name_with_quotes_stays_one_value(tmp_path: Path) -> None:
    found = written(tmp_path, folder=tmp_path / 'a "b" \\ c', name="work")

    assert found["profiles.d/work.toml"]["workspace"] == str(tmp_path / 'a "b" \\ c')


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--reach", "here"], ["claude mcp add wand -- wand-server stdio", '"mcpServers"']),
        (
            ["--reach", "https://wand.example"],
            [
                "claude mcp add --transport http wand https://wand.example/mcp",
                "keys add",
                "put-a-proxy-in-front",
            ],
        ),
    ],
)
def test_without_a_terminal_it_says_what_it_wrote_and_what_to_type_next(
    tmp_path: Path, words: list[str], says: list[str]
) -> None:
    argv = [str(COMMAND), "setup", "--folder", str(tmp_path / "work"), "--may", "ask", "--user", USER]
    argv += ["--directory", str(tmp_path), *words]

    done = subprocess.run(argv, stdin=subprocess.DEVNULL, check=True, capture_output=True, text=True)

    for one in ["profiles.d/work.toml", "policy.d/60-work.toml", "server.toml", "wand-server doctor", *says]:
        assert one in done.stdout
    assert (tmp_path / "work").owner() == USER
    again = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False, capture_output=True, text=True)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


def test_what_would_be_written_can_be_looked_at(tmp_path: Path) -> None:
    argv = [str(COMMAND), "setup", "--folder", str(tmp_path / "work"), "--may", "look", "--reach", "here"]

    done = subprocess.run(
        [*argv, "--user", USER, "--directory", str(tmp_path), "--show"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert "workspace = " in done.stdout
    assert not [*tmp_path.iterdir()]
