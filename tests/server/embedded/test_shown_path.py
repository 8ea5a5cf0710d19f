"""What is shown of a person's tools, wherever PATH leads."""

import os
from pathlib import Path

import pytest

from wand_server.embedded.shown import Person


def shown(folder: Path, path: Path, **variables: Path) -> list[str]:
    """What a person with that PATH shows of `folder`."""
    environment = {"PATH": str(path), **{name: str(place) for name, place in variables.items()}}
    person = Person(home=folder / "home", workspace=folder / "work", environment=environment)
    return [place for place in person.visible() if place.startswith(str(folder))]


def test_an_installation_is_shown_whole_and_links_lead_to_theirs(tmp_path: Path) -> None:
    for name in ("tools/bin", "tools/lib", "other/bin", "other/lib"):
        (tmp_path / name).mkdir(parents=True)
    program = tmp_path / "other/bin/program"
    program.touch(0o755)
    (tmp_path / "tools/bin/program").symlink_to(program)

    assert shown(tmp_path, tmp_path / "tools/bin") == [str(tmp_path / "other"), str(tmp_path / "tools")]


def test_links_in_a_circle_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/round").symlink_to("round")

    assert shown(tmp_path, tmp_path / "bin") == [str(tmp_path / "bin")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_we_may_not_look_into_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "shut/bin").mkdir(parents=True)
    (tmp_path / "open").mkdir()
    (tmp_path / "open/link").symlink_to(tmp_path / "shut/bin/program")
    (tmp_path / "shut").chmod(0)
    try:
        found = shown(tmp_path, tmp_path / "shut/bin", PYENV_ROOT=tmp_path / "shut/pyenv")
        beside = shown(tmp_path, tmp_path / "open")
    finally:
        (tmp_path / "shut").chmod(0o700)

    assert (found, beside) == ([], [str(tmp_path / "open")])
