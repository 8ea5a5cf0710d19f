"""Keys let their owners in, and a file that cannot be trusted lets in nobody."""

import asyncio
import hashlib
import time
from dataclasses import replace
from pathlib import Path

import pytest
from multidict import CIMultiDict

from wand_proto.errors import Conflict, Invalid, NotFound, Unauthenticated
from wand_server import keycommand
from wand_server.auth import keyfile, keys, lastused
from wand_server.auth.asked import Asked, Presented
from wand_server.auth.keyfile import Wanted
from wand_server.auth.keys import Keys
from wand_server.auth.lastused import LastUsed
from wand_server.model import Principal
from wand_server.scopes import EVERYDAY

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
    "a scope that is none": (GOOD + 'scopes = ["root"]\n', "root"),
    "an id with a space": (GOOD + 'id = "a b c d e f"\n', "id"),
    "an end that says no offset": (GOOD + "expires = 2026-11-22T10:00:00\n", "expires"),
    "a group with a comma": (GOOD + 'groups = ["a,b"]\n', "groups"),
    "a day that is text": (GOOD.replace(CREATED, '"today"'), "created"),
    "the same key twice": (GOOD + GOOD, "twice"),
}


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def signed_in(known: Keys, token: str) -> Principal | None:
    return asyncio.run(known.principal(Presented(scheme="bearer", token=token), Asked(headers=CIMultiDict())))


def test_a_key_is_its_owners_and_the_file_holds_only_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    alice, bob = keyfile.add(file, "alice"), keyfile.add(file, "bob")

    known = Keys(file)

    assert (known.owner(alice), known.owner(bob), known.owner(alice + "x")) == ("alice", "bob", None)
    assert alice.startswith("wand_")
    assert alice not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_group_that_could_read_the_file_still_can(tmp_path: Path) -> None:
    path = written(tmp_path / "keys.toml", "", 0o640)

    keyfile.add(path, "claude")
    assert path.stat().st_mode & 0o777 == 0o640

    path.chmod(0o600)
    keyfile.add(path, "other")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_key_comes_with_its_hash() -> None:
    plaintext, sha256 = keyfile.new_key()

    assert hashlib.sha256(plaintext.encode()).hexdigest() == sha256
    assert keyfile.new_key()[0] != plaintext


@pytest.mark.parametrize("case", BAD)
def test_a_file_with_a_mistake_lets_nobody_in(tmp_path: Path, case: str) -> None:
    text, named = BAD[case]
    file = tmp_path / "keys.toml"
    alice = keyfile.add(file, "alice")
    written(file, file.read_text() + text)

    assert Keys(file).owner(alice) is None
    with pytest.raises(Invalid, match=named):
        keyfile.read(file)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_lets_nobody_in(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keys.toml"
    alice = keyfile.add(file, "alice")
    file.chmod(mode)

    assert Keys(file).owner(alice) is None


@pytest.mark.parametrize("text", ["key = 5", "[key]", "key = [5]"])
def test_keys_must_be_a_list_of_tables(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid, match="key"):
        keyfile.read(written(tmp_path / "keys.toml", text))


def test_no_file_lets_nobody_in(tmp_path: Path) -> None:
    assert Keys(tmp_path / "keys.toml").owner("wand_x") is None


def test_a_change_counts_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_LOOK_AGAIN_SECONDS", 0)
    file = tmp_path / "keys.toml"
    alice = keyfile.add(file, "alice")
    known = Keys(file)
    before = known.owner(alice)

    keyfile.remove(file, "alice")
    bob = keyfile.add(file, "bob")

    assert (before, known.owner(alice), known.owner(bob)) == ("alice", None, "bob")


def test_an_old_file_is_read_and_its_keys_open_all_but_admin(tmp_path: Path) -> None:
    plaintext, sha256 = keyfile.new_key()
    written(tmp_path / "keys.toml", GOOD.replace(HASH, sha256))

    principal = signed_in(Keys(tmp_path / "keys.toml"), plaintext)

    assert principal is not None
    assert (principal.credential, principal.scopes) == (sha256[:12], EVERYDAY)


def test_a_key_says_who_it_is_for_and_what_it_opens(tmp_path: Path) -> None:
    wanted = Wanted(scopes=("wand:read",), groups=("ci",), on_behalf_of="alice", lives_seconds=3600)
    plaintext = keyfile.add(tmp_path / "keys.toml", "bot", wanted)

    principal = signed_in(Keys(tmp_path / "keys.toml"), plaintext)

    assert principal is not None
    assert (principal.name, principal.on_behalf_of, principal.groups) == ("bot", "alice", ("ci",))
    assert principal.scopes == {"wand:read"}
    assert principal.expires == pytest.approx(time.time() + 3600, abs=60)


def test_an_expired_key_says_that_it_has_expired(tmp_path: Path) -> None:
    plaintext = keyfile.add(tmp_path / "keys.toml", "bot", Wanted(lives_seconds=0))

    with pytest.raises(Unauthenticated, match="has expired"):
        signed_in(Keys(tmp_path / "keys.toml"), plaintext)


def test_rotation_lets_both_keys_in_until_the_old_one_ends(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    old = keyfile.add(file, "bot", Wanted(scopes=("wand:read",), lives_seconds=86400))
    new = keyfile.rotate(file, "bot", keep_seconds=3600)

    first, second = keyfile.read(file)

    assert [Keys(file).owner(key) for key in (old, new)] == ["bot", "bot"]
    assert first.credential != second.credential
    assert (second.scopes, first.expires is not None) == (("wand:read",), True)
    assert first.is_over(time.time() + 3700)
    assert not second.is_over(time.time() + 3700)
    keyfile.remove(file, "bot", first.credential)
    assert [Keys(file).owner(key) for key in (old, new)] == [None, "bot"]


def test_rotation_never_lengthens_what_ends_before(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    keyfile.add(file, "bot", Wanted(lives_seconds=60))
    keyfile.rotate(file, "bot", keep_seconds=3600)

    assert keyfile.read(file)[0].is_over(time.time() + 61)


@pytest.mark.parametrize(
    ("written_now", "is_over"),
    [
        ('scopes = ["wand:read", "wand:write", "wand:execute"]', False),
        ('scopes = ["wand:read", "wand:write"]', False),
        ('scopes = ["wand:read"]', True),
        ('scopes = ["wand:read", "wand:write"]\ngroups = ["ci"]', True),
        ('scopes = ["wand:read", "wand:write"]\non_behalf_of = "ann"', True),
    ],
)
def test_what_a_key_has_opened_is_over_where_the_key_gives_less_or_acts_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written_now: str, *, is_over: bool
) -> None:
    monkeypatch.setattr(keys, "_LOOK_AGAIN_SECONDS", 0)
    plaintext, sha256 = keyfile.new_key()
    text = GOOD.replace(HASH, sha256)
    file = written(tmp_path / "keys.toml", f'{text}scopes = ["wand:read", "wand:write"]\n')
    known = Keys(file)
    principal = signed_in(known, plaintext)
    assert principal is not None

    written(file, f"{text}{written_now}\n")

    assert asyncio.run(known.is_over(principal)) == is_over
    assert not asyncio.run(known.is_over(replace(principal, scopes=frozenset({"wand:read"})))) or is_over


def test_what_a_key_was_opened_by_is_over_when_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_LOOK_AGAIN_SECONDS", 0)
    file = tmp_path / "keys.toml"
    known = Keys(file)
    principal = signed_in(known, keyfile.add(file, "bot"))
    assert principal is not None
    before = asyncio.run(known.is_over(principal))

    keyfile.remove(file, "bot")

    assert (before, asyncio.run(known.is_over(principal))) == (False, True)


async def test_the_last_use_is_kept_by_the_hour_and_not_by_the_call(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml.used"
    async with LastUsed(file) as used:
        used.note("k1", 7200.0)
        used.note("k1", 7300.0)
        assert not file.exists()
    async with LastUsed(file) as used:
        used.note("k2", 10800.0)

    assert lastused.read(file) == {"k1": 2, "k2": 3}
    assert (lastused.told(2), lastused.told(None)) == ("1970-01-01T02:00Z", "never")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"k": "x"}', "\x00"])
def test_a_last_use_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.used").write_text(text)

    assert lastused.read(tmp_path / "x.used") == {}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90d", 7776000), ("12h", 43200), ("30m", 1800), ("2w", 1209600), ("5s", 5)]
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert keycommand.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "1y", "9999999d", "\u0661d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="no duration"):
        keycommand.seconds(text)


def test_the_command_rotates_and_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "keys.toml")
    more = ["--scopes", "wand:read,wand:tool:x", "--groups", "ci", "--expires", "90d", "--on-behalf-of", "al"]
    assert keycommand.main(["add", "bot", "--file", file, *more]) == 0
    assert keycommand.main(["rotate", "bot", "--keep", "2h", "--file", file]) == 0
    assert "count for 2h more" in capsys.readouterr().err

    assert keycommand.main(["list", "--file", file]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all("scopes=wand:read wand:tool:x\tgroups=ci\tfor=al\tused=never" in line for line in lines)


def test_the_command_names_a_scope_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["add", "bot", "--file", str(tmp_path / "keys.toml"), "--scopes", "wand:root"]

    assert keycommand.main(words) == 1
    assert "'wand:root' is no scope" in capsys.readouterr().err


def test_a_name_has_one_key(tmp_path: Path) -> None:
    keyfile.add(tmp_path / "keys.toml", "alice")

    with pytest.raises(Conflict, match="alice"):
        keyfile.add(tmp_path / "keys.toml", "alice")


def test_an_unknown_name_cannot_be_removed(tmp_path: Path) -> None:
    keyfile.add(tmp_path / "keys.toml", "alice")

    with pytest.raises(NotFound, match="bob"):
        keyfile.remove(tmp_path / "keys.toml", "bob")


@pytest.mark.parametrize("name", ["", "a b", "-a", 'a"', "a\n", "x" * 65])
def test_a_name_must_be_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="name"):
        keyfile.add(tmp_path / "keys.toml", name)


def test_the_command_adds_lists_and_removes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "keys.toml")

    assert keycommand.main(["add", "alice", "--file", file]) == 0
    plaintext = capsys.readouterr().out.strip()
    assert Keys(Path(file)).owner(plaintext) == "alice"
    assert keycommand.main(["list", "--file", file]) == 0
    assert capsys.readouterr().out.startswith("alice\t20")
    assert keycommand.main(["remove", "alice", "--file", file]) == 0
    assert capsys.readouterr().err.startswith("The key of alice is removed")
    assert keycommand.main(["remove", "alice", "--file", file]) == 1
    assert "alice" in capsys.readouterr().err


def test_without_a_file_the_command_takes_the_one_of_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "server.toml"
    file.write_text("[http]\nkeys_file = 'own.toml'\n")
    file.chmod(0o600)

    assert keycommand.main(["add", "alice", "--settings", str(file)]) == 0
    assert keycommand.main(["list", "--settings", str(file)]) == 0
    assert [key.name for key in keyfile.read(tmp_path / "own.toml")] == ["alice"]
    assert "alice\t" in capsys.readouterr().out
    assert keycommand.main(["--settings", str(tmp_path / "none.toml"), "list"]) == 1
    assert "none.toml does not exist (--settings FILE names another; " in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["add"],
        ["list", "--file"],
        ["list", "--file", "x", "--settings", "y"],
        ["--file", "x", "list", "--settings", "y"],
        ["grow"],
    ],
)
def test_the_command_tells_how_it_is_used(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert keycommand.main(words) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "x" * 300, "../a"])
def test_a_name_that_can_be_none_gets_no_key(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        keyfile.add(tmp_path / "keys.toml", name)

    assert refused.value.field == "name"
    assert not (tmp_path / "keys.toml").exists()
