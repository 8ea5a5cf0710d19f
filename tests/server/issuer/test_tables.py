"""The decisions of the issuer as tables: keys and their times, tries and their waits, parameters, names."""

from pathlib import Path

import pytest

from wand_proto.errors import Denied
from wand_server.issuer import asking, clients, signing, slowing
from wand_server.issuer.model import Refusal, readable
from wand_server.issuer.signing import AHEAD_SECONDS, BEHIND_SECONDS, KEY_SECONDS, Signing
from wand_server.issuer.slowing import Pace, Slowing
from wand_server.issuer.store import Store

NEXT = KEY_SECONDS - AHEAD_SECONDS


@pytest.mark.parametrize(
    ("made", "now", "due", "signs", "over"),
    [
        ([], 0, True, 0, 0),
        ([0], 0, False, 0, 0),
        ([0], NEXT - 1, False, 0, 0),
        ([0], NEXT, True, 0, 0),
        ([0, NEXT], KEY_SECONDS - 1, False, 0, 0),
        ([0, NEXT], KEY_SECONDS, False, 1, 0),
        ([0, NEXT], KEY_SECONDS + BEHIND_SECONDS - 1, False, 1, 0),
        ([0, NEXT], KEY_SECONDS + BEHIND_SECONDS, False, 1, 1),
    ],
)
def test_a_key_is_published_before_it_signs_and_after(
    made: list[int],
    now: int,
    due: bool,  # noqa: FBT001
    signs: int,
    over: int,
) -> None:
    assert (signing.is_due(made, now), signing.signer(made, now), signing.over(made, now)) == (
        due,
        signs,
        over,
    )


def test_keys_are_replaced_in_time_and_the_old_one_still_verifies(tmp_path: Path) -> None:
    now = [1000.0]
    keys = Signing(tmp_path, lambda: now[0])
    first = keys.current().kid
    now[0] += NEXT
    assert (keys.current().kid, len(keys.jwks()["keys"])) == (first, 2)
    now[0] += AHEAD_SECONDS
    second = keys.current().kid
    assert second != first
    assert keys.public(first) is not None
    assert Signing(tmp_path, lambda: now[0]).current().kid == second
    now[0] += BEHIND_SECONDS
    assert keys.public(first) is None
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
    assert "d" not in keys.jwks()["keys"][0]


@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o640), lambda path: path.write_text("no key")])
def test_a_key_that_others_read_or_that_is_none_stops_the_start(spoil: object, tmp_path: Path) -> None:
    Signing(tmp_path)
    (path,) = tmp_path.iterdir()
    spoil(path)  # type: ignore[operator]
    with pytest.raises(Denied):
        Signing(tmp_path)


async def test_a_folder_that_others_write_to_stops_the_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)  # noqa: ASYNC240 - a test
    with pytest.raises(Denied, match="written by others"):
        Signing(tmp_path)
    with pytest.raises(Denied, match="written by others"):
        async with Store(tmp_path / "issuer.db"):
            pass


@pytest.mark.parametrize(
    ("tries", "silent", "wait"),
    [(0, 0, 0), (2, 0, 0), (3, 0, 1), (4, 0, 2), (5, 0, 4), (5, 3, 1), (60, 0, 9), (60, 9, 0)],
)
def test_each_wrong_try_doubles_the_wait(tries: int, silent: float, wait: float) -> None:
    assert slowing.wait_seconds(Pace(3, 9), tries, silent) == wait


def test_a_name_that_somebody_else_tries_waits_little_and_the_right_password_forgives() -> None:
    now = [0.0]
    tries = Slowing(lambda: now[0])
    for _ in range(60):
        tries.begin("192.0.2.1", "ann")
    assert tries.wait_seconds("192.0.2.1", "ann") == 300
    assert tries.wait_seconds("192.0.2.1", "bob") == 300
    assert 0 < tries.wait_seconds("192.0.2.2", "ann") <= 5
    assert tries.wait_seconds("192.0.2.2", "bob") == 0
    now[0] += slowing.FORGET_SECONDS
    tries.begin("192.0.2.2", "ann")
    tries.forgive("192.0.2.2", "ann")
    assert tries.wait_seconds("192.0.2.1", "ann") == 0


def test_who_has_signed_in_from_somewhere_is_not_kept_out_there_by_others() -> None:
    tries = Slowing(lambda: 0.0)
    tries.begin("192.0.2.1", "ann")
    tries.forgive("192.0.2.1", "ann")
    for number in range(60):
        tries.begin(f"198.51.100.{number}", "ann")

    assert tries.wait_seconds("192.0.2.1", "ann") == 0
    assert tries.wait_seconds("192.0.2.2", "ann") > 0
    for _ in range(9):
        tries.begin("192.0.2.1", "ann")
    assert tries.wait_seconds("192.0.2.1", "ann") > 0


def test_the_addresses_of_one_network_of_ipv6_are_one() -> None:
    tries = Slowing(lambda: 0.0)
    for number in range(60):
        tries.begin(f"2001:db8::{number:x}", f"name{number}")

    assert tries.wait_seconds("2001:db8::ffff", "bob") == 300
    assert tries.wait_seconds("2001:db8:0:1::1", "bob") == 0
    assert tries.wait_seconds("no address", "bob") == 0


def test_what_is_counted_stays_bounded() -> None:
    tries = Slowing(lambda: 0.0)
    for number in range(slowing.MOST_KEPT):
        tries.begin(f"192.0.2.{number}", f"name{number}")
    assert len(tries._tries) <= slowing.MOST_KEPT + 3


@pytest.mark.parametrize(
    "query",
    ["a=1&a=2", "scope=x&scope=y", "resource=a&resource=b", "a" * 9000, "a=%ff", "&".join("abcd" * 30)],
)
def test_parameters_that_cannot_be_read_once_are_refused(query: str) -> None:
    with pytest.raises(Refusal):
        asking.parameters(query)


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("", ("wand:read", "wand:write", "wand:execute")),
        ("offline_access", ("wand:read", "wand:write", "wand:execute")),
        ("wand:execute wand:read", ("wand:read", "wand:execute")),
        ("wand:tool:read_file wand:read wand:read", ("wand:read", "wand:tool:read_file")),
        ("wand:admin", ("wand:admin",)),
    ],
)
def test_scopes_are_read_in_one_order(asked: str, read: tuple[str, ...]) -> None:
    assert asking.read_scopes(asked) == read


@pytest.mark.parametrize(
    "asked",
    [
        "root",
        "wand:read wand:everything",
        "wand:tool:",
        "wand:tool:a<b",
        " ".join(f"wand:tool:t{n}" for n in range(50)),
    ],
)
def test_a_scope_that_there_is_not_is_refused(asked: str) -> None:
    with pytest.raises(Refusal, match="there are"):
        asking.read_scopes(asked)


@pytest.mark.parametrize(
    "lines",
    [
        ["Bearer x"],
        ["Basic !"],
        ["Basic YQ=="],
        ["Basic Yjpj"],
        ["Basic YTpi", "Basic YTpi"],
        ["Basic /////w=="],
    ],
)
def test_a_header_in_which_no_client_can_be_read_is_refused(lines: list[str]) -> None:
    with pytest.raises(Refusal):
        clients.shown(lines, {"client_id": "a"})


def test_a_client_shows_its_secret_in_one_way() -> None:
    assert clients.shown(["Basic YTpi"], {}) == clients.Shown(id="a", secret="b")
    assert clients.shown([], {"client_id": "a", "client_secret": "b"}) == clients.Shown(id="a", secret="b")
    with pytest.raises(Refusal):
        clients.shown(["Basic YTpi"], {"client_secret": "b"})


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("  Claude \n Code ", "Claude Code"),
        ("a\u202eb", "a b"),
        ("a\u200bb\x00c", "a b c"),
        ("\u3164\u2800", ""),
        ("x" * 99, "x" * 59 + "…"),
    ],
)
def test_a_name_is_shown_on_one_line_with_nothing_hidden(said: str, shown: str) -> None:
    assert readable(said) == shown
