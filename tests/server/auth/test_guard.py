"""A request's headers become a principal, or a refusal that says what is needed."""

import re
from pathlib import Path

import pytest
from multidict import CIMultiDict

from wand_proto.errors import Denied, Unauthenticated, WandError
from wand_server.auth import keyfile
from wand_server.auth.asked import Asked
from wand_server.auth.certificates import Certificates
from wand_server.auth.challenge import Challenge
from wand_server.auth.guard import Guard
from wand_server.auth.keys import Keys
from wand_server.auth.origins import Misdirected, Origins
from wand_server.model import Principal


def guard(folder: Path) -> tuple[Guard, str]:
    key = keyfile.add(folder / "keys.toml", "alice")
    return Guard(Keys(folder / "keys.toml"), Origins()), key


async def who(door: Guard, headers: CIMultiDict[str]) -> Principal:
    """Who asks: at once, where a key alone says so, it is no other and no other refusal."""
    try:
        known = door.known(headers)
    except WandError as why:
        with pytest.raises(type(why), match=re.escape(str(why))):
            await door.principal(Asked(headers=headers))
        raise
    found = await door.principal(Asked(headers=headers))
    assert known in (None, found)
    return found


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_a_key_makes_its_owner_the_principal(tmp_path: Path, scheme: str) -> None:
    door, key = guard(tmp_path)

    principal = await who(door, CIMultiDict(Host="localhost", Authorization=f"{scheme} {key}"))

    assert (principal.name, principal.means) == ("alice", "api_key")


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic x", "wand_x", "Bearer wand_x", "Bearer \udcff"]
)
async def test_without_a_known_key_nobody_gets_in(tmp_path: Path, value: str) -> None:
    door, _ = guard(tmp_path)

    with pytest.raises(Unauthenticated, match="wand_"):
        await who(door, CIMultiDict(Host="localhost", Authorization=value))


@pytest.mark.parametrize("metadata", ["", "https://wand.example/.well-known/oauth-protected-resource/mcp"])
async def test_who_has_not_signed_in_is_told_of_the_issuer_where_there_is_one(
    tmp_path: Path, metadata: str
) -> None:
    door = Guard(Keys(tmp_path / "keys.toml"), Origins(), challenge=Challenge(resource_metadata=metadata))

    with pytest.raises(Unauthenticated, match="nobody has signed in") as told:
        await who(door, CIMultiDict(Host="localhost"))

    assert ("issuer" in (told.value.hint or "")) is bool(metadata)


async def test_a_key_counts_where_it_belongs_and_no_other_header_does(tmp_path: Path) -> None:
    door, key = guard(tmp_path)
    told = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-User": "alice",
        "X-Api-Key": key,
        "Cookie": f"key={key}",
    }

    with pytest.raises(Unauthenticated):
        await who(door, CIMultiDict(Host="localhost", **told))
    with pytest.raises(Misdirected):
        await who(door, CIMultiDict({"Host": "evil.example", "X-Forwarded-Host": "localhost"}))


async def test_two_keys_are_none(tmp_path: Path) -> None:
    door, key = guard(tmp_path)
    headers = CIMultiDict(
        [("Host", "localhost"), ("Authorization", f"Bearer {key}"), ("Authorization", "Bearer x")]
    )

    with pytest.raises(Unauthenticated, match="one Bearer"):
        await who(door, headers)


async def test_a_key_does_not_help_on_a_foreign_host_or_page(tmp_path: Path) -> None:
    door, key = guard(tmp_path)
    headers = {"Authorization": f"Bearer {key}"}

    with pytest.raises(Misdirected):
        await who(door, CIMultiDict(Host="evil.example", **headers))
    with pytest.raises(Denied):
        await who(door, CIMultiDict(Host="localhost", Origin="https://evil.example", **headers))


async def test_where_certificates_count_a_key_alone_says_nothing(tmp_path: Path) -> None:
    _, key = guard(tmp_path)
    door = Guard(Keys(tmp_path / "keys.toml"), Origins(), certificates=Certificates({}))
    headers = CIMultiDict(Host="localhost", Authorization=f"Bearer {key}")

    assert door.known(headers) is None
    assert (await who(door, headers)).name == "alice"


async def test_without_http_a_key_is_all_there_is(tmp_path: Path) -> None:
    door, key = guard(tmp_path)

    assert (await door.principal_of(key, "10.0.0.1")).name == "alice"
    for wrong in ("", "wand_x", f"Bearer {key}", f"{key} ", "\udcff"):
        with pytest.raises(Unauthenticated) as told:
            await door.principal_of(wrong, "10.0.0.1")
        assert key not in str(told.value)
        assert "Authorization" not in str(told.value)


async def test_a_name_that_is_ours_no_more_is_not_remembered(tmp_path: Path) -> None:
    door, key = guard(tmp_path)
    headers = CIMultiDict(Host="wand.example", Authorization=f"Bearer {key}")
    door.admit(Origins.of(["wand.example"]))
    assert (await who(door, headers)).name == "alice"
    assert (await who(door, headers)).name == "alice"

    door.admit(Origins())

    with pytest.raises(Misdirected):
        await who(door, headers)
