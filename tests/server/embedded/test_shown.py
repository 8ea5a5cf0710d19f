"""What commands are shown of a person's machine: tools, and nothing that lies beside them."""

from pathlib import Path

import pytest

from wand_server.embedded.shown import Person


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home as people have them, with tools and with what nobody should see."""
    for folder in (
        "work", ".ssh", ".local/bin", ".local/share/keyrings", ".local/share/pipx/venvs/tool/bin",
        ".nvm/versions/node/v22/bin", ".nvm/versions/node/v22/lib", ".pyenv/shims", ".cargo/bin", "bin",
    ):  # fmt: skip
        (tmp_path / folder).mkdir(parents=True)
    tool = tmp_path / ".local/share/pipx/venvs/tool"
    (tool / "pyvenv.cfg").touch()
    (tool / "bin" / "tool").touch(0o755)
    (tmp_path / ".local/bin/tool").symlink_to(tool / "bin" / "tool")
    return tmp_path


def visible(home: Path, *path: str, workspace: str = "work") -> list[str]:
    environment = {"PATH": ":".join(f"{home}/{part}" for part in path)}
    person = Person(home=home, workspace=home / workspace, environment=environment)
    shown = [folder for folder in person.visible() if folder.startswith(str(home))]
    return [folder.removeprefix(f"{home}/") for folder in shown]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((".nvm/versions/node/v22/bin",), [".nvm/versions/node/v22", ".pyenv"]),
        ((".pyenv/shims",), [".pyenv"]),
        ((".cargo/bin",), [".cargo/bin", ".pyenv"]),
        (("bin",), [".pyenv", "bin"]),
        ((".local/bin",), [".local/bin", ".local/share/pipx/venvs/tool", ".pyenv"]),
        (("nowhere",), [".pyenv"]),
        (("work",), [".pyenv"]),
    ],
)
def test_a_folder_of_the_path_is_shown_with_what_it_belongs_to(
    home: Path, path: tuple[str, ...], shown: list[str]
) -> None:
    assert visible(home, *path) == shown


@pytest.mark.parametrize("folder", ["", ".local", ".cargo", ".ssh/..", "work/.."])
def test_a_home_and_what_is_mixed_in_it_are_never_shown(home: Path, folder: str) -> None:
    assert visible(home, folder) == [".pyenv"]


def test_a_link_in_the_workspace_shows_nothing_but_an_interpreter(home: Path) -> None:
    """A command may have made the link, to be shown what it names when Wand starts again."""
    (home / "work/.venv/bin").mkdir(parents=True)
    (home / ".ssh/id").touch(0o755)
    (home / "work/.venv/bin/python").symlink_to(home / ".ssh/id")
    assert visible(home, "bin") == [".pyenv", "bin"]


def test_a_workspace_that_holds_a_home_hides_its_keys(home: Path) -> None:
    person = Person(home=home, workspace=home, environment={})
    assert {Path(path).name for path in person.hidden()} == {".ssh", "keyrings"}
    assert Person(home=home, workspace=home / "work", environment={}).hidden() == []


def test_git_is_told_who_the_person_is_and_nothing_else_that_they_have_set(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = '[user]\n\tname = Ann "A" B\n\temail = a@b.example\n[credential]\n\thelper = store\n'
    (home / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    told = Person(home=home, workspace=home / "work", environment={}).git_identity()
    assert "credential" not in told
    assert 'email = "a@b.example"' in told
