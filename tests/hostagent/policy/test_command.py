"""`policy check` and `policy explain`, as a person calls them."""

from pathlib import Path

import pytest

from wand_hostagent import cli

POLICY = """
[[rule]]
name = "no pushing by force"
verdict = "deny"
programs = ["git"]
arguments = ["push", "--force*"]
say = "push without --force"

[[rule]]
name = "git"
verdict = "allow"
programs = ["git"]
profile = "developer"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    (tmp_path / "policy.d").mkdir(mode=0o700)
    path = tmp_path / "hostagent.toml"
    path.write_text('policy_directory = "policy.d"\ndevelopment = true\n')
    path.chmod(0o600)
    return path


def write(settings: Path, policy: str) -> None:
    path = settings.parent / "policy.d/git.toml"
    path.write_text(policy)
    path.chmod(0o600)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "git", "status"], "permitted by the rule 'git', with the profile developer"),
        (["--", "git", "push", "--force"], "push without --force"),
        (["--", "git", "push", "--force"], "git.toml:2"),
        (["--shell", "ls"], "no rule permits"),
        (["--", "ls"], "no rule permits ls"),
    ],
)
def test_explain_says_what_and_why(
    settings: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings, POLICY)

    assert cli.run(["policy", "explain", "--settings", str(settings), *words]) == 0

    assert said in capsys.readouterr().out


FILES = """
[[rule]]
name = "files"
verdict = "allow"
paths = ["/srv/work"]
profile = "developer"

[[rule]]
name = "secrets"
verdict = "deny"
paths = ["/srv/work/secrets"]
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["read", "--", "/srv/work/a"], "read /srv/work/a\n\npermitted by the rule 'files'"),
        (["move", "--", "/srv/work/a", "/srv/work/b"], "permitted by the rule 'files'"),
        (["move", "--", "/srv/work/a", "/srv/work/secrets/a"], "denied by the rule 'secrets'"),
        (["copy", "--", "/srv/work/secrets/a", "/srv/work/b"], "read of /srv/work/secrets/a is denied by"),
        (["remove", "--", "/srv/work/secrets"], "denied by the rule 'secrets'"),
        (["restore", "--", "/etc/passwd"], "no rule permits"),
        (["read", "--", "/srv/work/../../etc/passwd"], "no rule permits"),
        (["move", "--", "/srv/work/a", "/srv/work/b/../secrets/a"], "denied by the rule 'secrets'"),
    ],
)
def test_explain_tells_of_uses_of_files(
    settings: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings, FILES)

    assert cli.run(["policy", "explain", "--settings", str(settings), "--file", *words]) == 0

    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["move", "--", "/a"],
        ["move", "--", "/a", "b"],
        ["remove", "--", "/a", "/b"],
        ["read", "--", "a"],
        ["read"],
    ],
)
def test_explain_wants_the_paths_that_a_use_of_a_file_has(
    settings: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings, FILES)

    assert cli.run(["policy", "explain", "--settings", str(settings), "--file", *words]) == cli.FAILURE

    assert "absolute path" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--shell", "ls", "--", "ls"]])
def test_explain_wants_one_command(
    settings: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings, POLICY)

    assert cli.run(["policy", "explain", "--settings", str(settings), *words]) == cli.FAILURE

    assert "either" in capsys.readouterr().err


def test_check_lists_the_rules(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(settings, POLICY)

    assert cli.run(["policy", "check", "--settings", str(settings)]) == 0

    assert "2 rules, digest " in capsys.readouterr().out


def test_check_names_what_is_wrong(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(settings, POLICY.replace("programs", "program"))

    assert cli.run(["policy", "check", "--settings", str(settings)]) == cli.FAILURE

    assert "did you mean programs?" in capsys.readouterr().err
