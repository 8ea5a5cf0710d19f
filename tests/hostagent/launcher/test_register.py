"""The list of which number is whose: what it gives, what it keeps, and what it does not read."""

import json
import os
from pathlib import Path

import pytest

from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.register import Register


def register(folder: Path, taken: frozenset[int] = frozenset()) -> Register:
    return Register(f"{folder}/users", taken.__contains__)


def test_a_principal_keeps_its_number_and_no_other_gets_it(tmp_path: Path) -> None:
    one = register(tmp_path, frozenset({2001}))
    assert [one.number(name, 2000, 2003) for name in ("ann", "bob", "ann")] == [2000, 2002, 2000]
    one.close()
    again = register(tmp_path)
    assert [again.number(name, 2000, 2003) for name in ("eve", "bob", "ann")] == [2001, 2002, 2000]
    assert again.number("ann", 3000, 3000) == 3000
    with pytest.raises(Refused, match="every number from 3000 to 3000 belongs to somebody"):
        again.number("bob", 3000, 3000)


def test_a_torn_line_gives_nobody_a_number(tmp_path: Path) -> None:
    one = register(tmp_path)
    one.number("ann", 2000, 2003)
    one.close()
    with (tmp_path / "users").open("ab") as file:
        file.write(b'{"number": 2001, "prin')
    assert register(tmp_path).number("bob", 2000, 2003) == 2001
    lines = (tmp_path / "users").read_bytes().splitlines()
    assert [json.loads(line)["principal"] for line in lines] == ["ann", "bob"]


@pytest.mark.parametrize(
    "content",
    ["x\n", "[]\n", '{"number": true, "principal": "a"}\n', '{"number": 2000, "principal": 1}\n', "\n",
     '{"number": 2000, "principal": "a"}\n{"number": 2000, "principal": "b"}\n', "[" * 100_000 + "\n",
     '{"number": -1, "principal": "a"}\n', '{"number": 2000, "principal": "a", "more": 1}\n'],
)  # fmt: skip
def test_a_list_that_cannot_be_read_gives_no_number(tmp_path: Path, content: str) -> None:
    (tmp_path / "users").write_text(content)
    (tmp_path / "users").chmod(0o600)
    with pytest.raises(Refused, match=r"users: line \d is no number"):
        register(tmp_path).number("ann", 2000, 2003)
    assert (tmp_path / "users").read_text() == content


def test_a_list_that_others_may_read_or_that_is_no_file_gives_no_number(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("")
    (tmp_path / "users").chmod(0o644)
    with pytest.raises(Refused, match="alone, mode 0600"):
        register(tmp_path).number("ann", 2000, 2003)
    (tmp_path / "users").unlink()
    os.mkfifo(tmp_path / "users", 0o600)
    with pytest.raises(Refused, match="alone, mode 0600"):
        register(tmp_path).number("ann", 2000, 2003)
    (tmp_path / "users").unlink()
    (tmp_path / "users").symlink_to(tmp_path / "other")
    with pytest.raises(Refused, match="ELOOP"):
        register(tmp_path).number("ann", 2000, 2003)


def test_two_launchers_do_not_give_from_one_list(tmp_path: Path) -> None:
    one = register(tmp_path)
    one.number("ann", 2000, 2003)
    with pytest.raises(Refused, match="EAGAIN"):
        register(tmp_path).number("bob", 2000, 2003)


def test_a_number_is_not_given_where_the_disk_does_not_take_it(tmp_path: Path) -> None:
    one = register(tmp_path)
    one.number("ann", 2000, 2003)
    one.close()
    one._file = os.open("/dev/full", os.O_RDWR)
    with pytest.raises(Refused, match="ENOSPC") as refused:
        one.number("bob", 2000, 2003)
    assert refused.value.kind == "Exhausted"
    assert register(tmp_path).number("eve", 2000, 2003) == 2001
