"""A settings file and the folder beside it are read as one, and each mistake is found where it stands."""

import os
from pathlib import Path

import pytest

from wand_proto import layers
from wand_proto.errors import Denied, Invalid, NotFound
from wand_proto.layers import Layers

US = {os.geteuid()}


def written(folder: Path, **texts: str) -> Path:
    """The settings file, `main`, and files of the folder beside it."""
    (folder / "x.d").mkdir(mode=0o755)
    for name, text in texts.items():
        path = folder / "x.toml" if name == "main" else folder / "x.d" / f"{name}.toml"
        path.write_text(text)
        path.chmod(0o644)
    return folder / "x.toml"


def read(folder: Path, **texts: str) -> Layers:
    return layers.read(written(folder, **texts), owners=US)


@pytest.mark.parametrize(
    ("main", "a", "b", "together"),
    [
        ("", "", "", {}),
        ("k = 1", "", "", {"k": 1}),
        ("k = 1", "k = 2", "", {"k": 2}),
        ("k = 1", "k = 2", "k = 3", {"k": 3}),
        ("", "k = 2", "l = 3", {"k": 2, "l": 3}),
        ("[t]\nk = 1\nl = 1", "[t]\nl = 2", "[t]\nm = 3", {"t": {"k": 1, "l": 2, "m": 3}}),
        ("[t.u]\nk = 1", "", "[t.u]\nl = 3", {"t": {"u": {"k": 1, "l": 3}}}),
        ("k = [1, 2]", "k = [3]", "", {"k": [3]}),
        ("[[t]]\nk = 1", "[[t]]\nl = 2", "", {"t": [{"l": 2}]}),
        ("k = 1", "[k]\nl = 2", "", {"k": {"l": 2}}),
        ("[k]\nl = 2", "k = 1", "", {"k": 1}),
    ],
)
def test_a_later_file_stands_over_those_before_it(
    tmp_path: Path, main: str, a: str, b: str, together: dict[str, object]
) -> None:
    assert read(tmp_path, main=main, a=a, b=b).table() == together


def test_files_come_in_order_of_name_and_others_are_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, main="", **{"9": "k = 9", "10": "k = 10"})
    (tmp_path / "x.d" / "99.toml.bak").write_text("k = 99")

    assert [each.name for each in layers.read(path, owners=US).paths] == ["x.toml", "10.toml", "9.toml"]
    assert layers.told(path, owners=US) == f"{path}, {tmp_path}/x.d/10.toml, {tmp_path}/x.d/9.toml"


def test_what_is_changed_in_the_whole_is_not_changed_in_a_file(tmp_path: Path) -> None:
    files = read(tmp_path, main="[t]\nk = 1", a="")

    files.table()["t"]["new"] = 2

    assert files.table() == {"t": {"k": 1}}


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (["k"], "x.toml, line 1"),
        (["t", "l"], "x.d/a.toml, line 3"),
        (["t", "m"], "x.d/b.toml, line 2"),
        (["t", "nowhere"], "x.d/b.toml, line 1"),
        (["nowhere"], "x.toml"),
    ],
)
def test_a_key_stands_where_it_was_said_last(tmp_path: Path, place: list[str], where: str) -> None:
    files = read(tmp_path, main="k = 1\n[t]\nl = 1", a="# a\n[t]\nl = 2", b="[t]\nm = 3")

    assert files.where(place) == f"{tmp_path}/{where}"


def test_the_folder_need_not_be_there_but_the_file_must(tmp_path: Path) -> None:
    path = written(tmp_path, main="k = 1")
    (tmp_path / "x.d").rmdir()

    assert layers.read(path, owners=US).table() == {"k": 1}
    path.unlink()
    (tmp_path / "x.d").mkdir()
    with pytest.raises(NotFound, match=r"x\.toml does not exist"):
        layers.read(path, owners=US)


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, main="")
    (tmp_path / "x.d").chmod(0o777)

    with pytest.raises(Denied, match=r"x\.d can be written by others"):
        layers.read(path, owners=US)


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, main="")
    (tmp_path / "x.d").rmdir()
    (tmp_path / "x.d").symlink_to(tmp_path / "nowhere")

    with pytest.raises(Denied, match="is a link"):
        layers.read(path, owners=US)


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, main="", a="")
    (tmp_path / "x.d" / "a.toml").chmod(0o666)

    with pytest.raises(Denied, match=r"a\.toml can be written by others"):
        layers.read(path, owners=US)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"x\.d/a\.toml is not TOML: .*line 1"):
        read(tmp_path, main="", a="k = \n")
