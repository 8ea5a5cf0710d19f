"""A settings file is read only from whom it may be, and each mistake in it is named."""

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from wand_proto import tomlfile
from wand_proto.errors import Denied, Invalid, NotFound, WandError

US = {os.geteuid()}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    port: int
    host: str = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    globs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    name: str = "wand"
    share: float = 0.5
    on: bool = False
    state: Path = Path("/var/lib/wand")
    most: int | None = None
    colour: Colour = Colour.RED
    kind: Literal["unix", "tcp"] = "unix"
    listen: Listen | None = None
    rule: tuple[Rule, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.share > 1:
            raise ValueError("share must be at most 1")


def write(folder: Path, text: str | bytes, name: str = "a.toml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o644)
    return path


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        name = "n"
        share = 1
        on = true
        state = "/srv"
        most = 3
        colour = "blue"
        kind = "tcp"
        listen = { port = 80 }
        labels = { a = "b" }
        [[rule]]
        name = "first"
        globs = ["x", "y"]
        """,
    )

    assert tomlfile.load(path, Settings, owners=US) == Settings(
        name="n", share=1.0, on=True, state=Path("/srv"), most=3, colour=Colour.BLUE, kind="tcp",
        listen=Listen(port=80), labels={"a": "b"}, rule=(Rule(name="first", globs=("x", "y")),),
    )  # fmt: skip


def test_an_empty_file_is_a_good_file(tmp_path: Path) -> None:
    assert tomlfile.load(write(tmp_path, ""), Settings, owners=US) == Settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("naem = 'x'", r"naem: is not a setting, in .*a\.toml \(did you mean name\?\)"),
        ("zzzzzz = 1", r"zzzzzz: is not a setting.*known are: name, share"),
        ("listen = {}", r"listen\.port: is missing"),
        ("listen = { port = 'x' }", r"listen\.port: must be a whole number, not 'x'"),
        ("listen = { prot = 1 }", r"listen\.prot: .*did you mean port"),
        ("listen = 3", r"listen: must be a table, not 3"),
        ("most = true", r"most: must be a whole number, not True"),
        ("most = 1.5", r"most: must be a whole number, not 1\.5"),
        ("on = 1", r"on: must be true or false, not 1"),
        ("name = 1", r"name: must be text, not 1"),
        ("share = 'x'", r"share: must be a number"),
        ("share = 2", r"share must be at most 1, in .*a\.toml"),
        ("state = 1", r"state: must be a path, as text"),
        ("colour = 'green'", r"colour: must be one of 'red', 'blue', not 'green'"),
        ("kind = 'pipe'", r"kind: must be one of 'unix', 'tcp', not 'pipe'"),
        ("labels = ['x']", r"labels: must be a table"),
        ("labels = { a = 1 }", r"labels\.a: must be text, not 1"),
        ("rule = 1", r"rule: must be a list"),
        ("[[rule]]\nname='a'\n[[rule]]\nname='b'\nglobs=['x',1]", r"rule\[1\]\.globs\[1\]: must be text"),
        ("[[rule]]\nglobs=[]", r"rule\[0\]\.name: is missing"),
        ("a = \n", r"a\.toml is not TOML: .*line 1, column 5"),
        (b"a = 1\nb = '\xff'", r"a\.toml is not UTF-8 \(at line 2\)"),
        ("#" * 1024 * 1024 + "#", r"has more than 1048576 bytes"),
        ("a = " + "[" * 20000, r"not TOML"),
        ("# a\n" + "a." * 100_000 + "a = 1", r"more than 1000 dots in line 2"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        tomlfile.load(write(tmp_path, text), Settings, owners=US)


def spoil_mode(path: Path) -> None:
    path.chmod(0o664)


def spoil_link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def spoil_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def spoil_absent(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "kind", "says"),
    [
        (spoil_mode, Denied, r"can be written by others \(chmod go-w"),
        (spoil_link, Denied, "is a link"),
        (spoil_fifo, Denied, "is not a plain file"),
        (spoil_folder, Denied, "is not a plain file"),
        (spoil_absent, NotFound, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_not_read(
    tmp_path: Path, spoil: Any, kind: type[WandError], says: str
) -> None:
    path = write(tmp_path, "")
    spoil(path)

    with pytest.raises(kind, match=says):
        tomlfile.read(path, owners=US)


def test_a_file_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(Denied, match=rf"belongs to user {os.geteuid()} \(it must belong to user 4242\)"):
        tomlfile.read(write(tmp_path, ""), owners={4242})


def test_a_folder_is_read_in_order_of_names_and_other_files_are_left(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("20-b.toml", "10-a.toml", "README", "30.toml.bak"):
        write(tmp_path, "x = 1" if name.endswith(".toml") else "no toml at all", name)

    assert [path.name for path in tomlfile.read_folder(tmp_path, owners=US)] == ["10-a.toml", "20-b.toml"]


def test_a_folder_into_which_others_may_put_files_is_not_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(Denied, match="can be written by others"):
        tomlfile.read_folder(tmp_path, owners=US)
