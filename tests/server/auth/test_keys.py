"""Keys let their owners in, and a file that cannot be trusted lets in nobody."""

import hashlib
from pathlib import Path

import pytest

from wand_proto.errors import Conflict, Invalid, NotFound
from wand_server.auth import keys
from wand_server.auth.keys import Keys

HASH = "0" * 64
CREATED = "2026-11-22T10:00:00Z"
GOOD = f'[[key]]\nname = "a"\nsha256 = "{HASH}"\ncreated = {CREATED}\n'

BAD = {
    "no TOML": ("[[key", "not TOML"),
    "no text": ("\x00", "not TOML"),
    "an unknown table": ("[settings]\n", "settings"),
    "a field too many": (GOOD + "admin = true\n", "admin"),
    "a field too few": ('[[key]]\nname = "a"\n', "missing"),
    "a plain key": (GOOD.replace(HASH, "wand_plain"), "sha256"),
    "a name with a space": (GOOD.replace('"a"', '"a b"'), "name"),
    "a day that is text": (GOOD.replace(CREATED, '"today"'), "created"),
    "the same name twice": (GOOD + GOOD, "twice"),
}


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_is_its_owners_and_the_file_holds_only_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    alice, bob = keys.add(file, "alice"), keys.add(file, "bob")

    known = Keys(file)

    assert (known.owner(alice), known.owner(bob), known.owner(alice + "x")) == ("alice", "bob", None)
    assert alice.startswith("wand_")
    assert alice not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_key_comes_with_its_hash() -> None:
    plaintext, sha256 = keys.new_key()

    assert hashlib.sha256(plaintext.encode()).hexdigest() == sha256
    assert keys.new_key()[0] != plaintext


@pytest.mark.parametrize("case", BAD)
def test_a_file_with_a_mistake_lets_nobody_in(tmp_path: Path, case: str) -> None:
    text, named = BAD[case]
    file = tmp_path / "keys.toml"
    alice = keys.add(file, "alice")
    written(file, file.read_text() + text)

    assert Keys(file).owner(alice) is None
    with pytest.raises(Invalid, match=named):
        keys.read(file)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_lets_nobody_in(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keys.toml"
    alice = keys.add(file, "alice")
    file.chmod(mode)

    assert Keys(file).owner(alice) is None


@pytest.mark.parametrize("text", ["key = 5", "[key]", "key = [5]"])
def test_keys_must_be_a_list_of_tables(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid, match="key"):
        keys.read(written(tmp_path / "keys.toml", text))


def test_no_file_lets_nobody_in(tmp_path: Path) -> None:
    assert Keys(tmp_path / "keys.toml").owner("wand_x") is None


def test_a_change_counts_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_LOOK_AGAIN_SECONDS", 0)
    file = tmp_path / "keys.toml"
    alice = keys.add(file, "alice")
    known = Keys(file)
    before = known.owner(alice)

    keys.remove(file, "alice")
    bob = keys.add(file, "bob")

    assert (before, known.owner(alice), known.owner(bob)) == ("alice", None, "bob")


def test_a_name_has_one_key(tmp_path: Path) -> None:
    keys.add(tmp_path / "keys.toml", "alice")

    with pytest.raises(Conflict, match="alice"):
        keys.add(tmp_path / "keys.toml", "alice")


def test_an_unknown_name_cannot_be_removed(tmp_path: Path) -> None:
    keys.add(tmp_path / "keys.toml", "alice")

    with pytest.raises(NotFound, match="bob"):
        keys.remove(tmp_path / "keys.toml", "bob")


@pytest.mark.parametrize("name", ["", "a b", "-a", 'a"', "a\n", "x" * 65])
def test_a_name_must_be_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="name"):
        keys.add(tmp_path / "keys.toml", name)


def test_the_command_adds_lists_and_removes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "keys.toml")

    assert keys.main(["add", "alice", "--file", file]) == 0
    plaintext = capsys.readouterr().out.strip()
    assert Keys(Path(file)).owner(plaintext) == "alice"
    assert keys.main(["list", "--file", file]) == 0
    assert capsys.readouterr().out.startswith("alice\t20")
    assert keys.main(["remove", "alice", "--file", file]) == 0
    assert keys.main(["remove", "alice", "--file", file]) == 1
    assert "alice" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["add"], ["add", "a"], ["list", "--file"], ["grow", "--file", "x"]])
def test_the_command_tells_how_it_is_used(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert keys.main(words) == 2
    assert "usage" in capsys.readouterr().err
