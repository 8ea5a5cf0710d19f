"""An issuer's keys: fetched when needed, again when they change, and never for want of better for ever."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.issuers import RSA_KEY, Issuer, ec_key, jwk_of, pem_of
from wand_proto.errors import Denied, Invalid, Unavailable
from wand_server.auth import discovery, issuerkeys, jwk
from wand_server.auth.issuerkeys import AGAIN_SECONDS, FRESH_SECONDS, KEPT_SECONDS, FetchedKeys, StaticKeys

ES = ("ES256", "RS256")


@dataclass
class World:
    """A clock, and an issuer that can be down."""

    issuer: Issuer = field(default_factory=Issuer)
    now: float = 1000.0
    is_down: bool = False
    fetches: int = 0
    answer: Any = None

    async def fetch(self) -> Any:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise Unavailable("down")
        return self.answer or self.issuer.jwks()

    def keys(self) -> FetchedKeys:
        return FetchedKeys(self.issuer.name, self.fetch, ES, lambda: self.now)


async def test_keys_are_fetched_once_for_many_tokens() -> None:
    world = World()
    keys = world.keys()

    found = await asyncio.gather(*(keys.key("k1") for _ in range(20)))

    assert all(found)
    assert world.fetches == 1


async def test_an_unknown_key_is_asked_for_but_not_all_the_time() -> None:
    world = World()
    keys = world.keys()
    await keys.key("k1")
    world.now += AGAIN_SECONDS
    world.issuer.kid = "k2"

    assert await keys.key("k2") is not None
    assert await keys.key("k1") is None
    for number in range(100):
        assert await keys.key(f"../{number}") is None
    assert world.fetches == 2


async def test_many_unknown_keys_at_once_are_one_question() -> None:
    world = World()
    keys = world.keys()
    await keys.key("k1")
    world.now += AGAIN_SECONDS

    await asyncio.gather(*(keys.key(f"x{number}") for number in range(50)))

    assert world.fetches == 2


async def test_a_key_that_is_published_no_more_counts_no_more() -> None:
    world = World()
    keys = world.keys()
    assert await keys.key("k1") is not None
    world.issuer.kid = "k2"
    world.now += FRESH_SECONDS

    assert await keys.key("k1") is None


async def test_old_keys_count_while_the_issuer_is_away_but_not_for_ever() -> None:
    world = World()
    keys = world.keys()
    await keys.key("k1")
    world.is_down = True
    world.now += KEPT_SECONDS - 1

    assert await keys.key("k1") is not None
    world.now += 1
    with pytest.raises(Unavailable, match="cannot be had"):
        await keys.key("k1")
    world.is_down = False
    world.now += AGAIN_SECONDS
    assert await keys.key("k1") is not None


@pytest.mark.parametrize("answer", [{"keys": 5}, {"nothing": 1}, {"keys": [{}] * 100}])
async def test_nonsense_replaces_no_keys(answer: Any) -> None:
    world = World()
    keys = world.keys()
    await keys.key("k1")
    world.answer = answer
    world.now += FRESH_SECONDS

    assert await keys.key("k1") is not None


async def test_without_any_keys_nobody_gets_in() -> None:
    world = World(is_down=True)
    keys = world.keys()

    for _ in range(3):
        with pytest.raises(Unavailable):
            await keys.key("k1")
    assert world.fetches == 1


async def test_a_token_that_names_no_key_means_the_only_one() -> None:
    world = World()
    keys = world.keys()

    assert await keys.key("") is not None
    world.answer = {"keys": [jwk_of(ec_key(), kid="a"), jwk_of(ec_key(), kid="b")]}
    world.now += FRESH_SECONDS
    assert await keys.key("") is None


async def test_keys_in_a_file_are_a_set_or_one_in_pem(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(pem_of(RSA_KEY))
    file.chmod(0o644)

    found = issuerkeys.read_keys(file, ES, {file.stat().st_uid})

    assert found[""].algorithm == "RS256"
    assert await StaticKeys("i", found).key("whatever") is not None


@pytest.mark.parametrize("text", ["", "{}", "-----BEGIN X-----", '{"keys":[]}', "[" * 10_000])
def test_a_file_without_a_key_says_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(Invalid, match=r"oauth\.keys_file"):
        issuerkeys.read_keys(file, ES, {file.stat().st_uid})


def test_a_file_that_others_may_write_holds_no_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(pem_of(RSA_KEY))
    file.chmod(0o666)

    with pytest.raises(Denied, match="written by others"):
        issuerkeys.read_keys(file, ES, {file.stat().st_uid})


@pytest.mark.parametrize(
    ("issuer", "first", "last"),
    [
        ("https://a.example", "https://a.example/.well-known/oauth-authorization-server",
         "https://a.example/.well-known/openid-configuration"),
        ("https://a.example/t/1", "https://a.example/.well-known/oauth-authorization-server/t/1",
         "https://a.example/t/1/.well-known/openid-configuration"),
    ],
)  # fmt: skip
def test_metadata_stands_where_clients_look(issuer: str, first: str, last: str) -> None:
    found = discovery.places(issuer)

    assert (found[0], found[-1]) == (first, last)


@pytest.mark.parametrize(
    "untrusted",
    [
        {},
        {"issuer": "https://a.example/", "jwks_uri": "https://a.example/k"},
        {"issuer": "https://b.example", "jwks_uri": "https://a.example/k"},
        {"issuer": "https://a.example"},
        {"issuer": "https://a.example", "jwks_uri": 5},
        {"issuer": "https://a.example", "jwks_uri": "http://a.example/k"},
        {"issuer": "https://a.example", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "https://a.example", "jwks_uri": "https://u:p@a.example/k"},
        {
            "issuer": "https://a.example",
            "jwks_uri": "https://a.example/k",
            "introspection_endpoint": "ftp://x",
        },
    ],
)
def test_metadata_that_is_another_s_or_leads_astray_is_refused(untrusted: dict[str, Any]) -> None:
    with pytest.raises((Unavailable, Invalid)):
        discovery.read(untrusted, "https://a.example")


async def test_what_an_issuer_says_of_itself_is_asked_again_after_an_hour() -> None:
    world = World()

    class Source:
        asked = 0

        async def get(self, url: str) -> dict[str, Any]:
            self.asked += 1
            return {"issuer": "https://a.example", "jwks_uri": f"https://a.example/{self.asked}"}

    source = Source()
    discovered = issuerkeys.Discovered("https://a.example", source, lambda: world.now)
    found = []
    for later in (0, 3599, 3600, 3601, 7200):
        world.now = 1000 + later
        found.append((await discovered.metadata()).jwks_uri.rpartition("/")[2])

    assert found == ["1", "1", "2", "2", "3"]


async def test_an_issuer_whose_metadata_leads_astray_lets_nobody_in_and_is_no_defect_of_ours() -> None:
    class Source:
        async def get(self, url: str) -> dict[str, Any]:
            return {"issuer": "https://a.example", "jwks_uri": f"http://{url[8:]}"}

    with pytest.raises(Unavailable, match="jwks_uri"):
        await issuerkeys.Discovered("https://a.example", Source()).metadata()


@pytest.mark.parametrize("untrusted", [None, [], {}, {"keys": {}}, {"keys": [1]}, {"keys": [{}] * 1000}])
def test_what_is_no_set_of_keys_is_named(untrusted: Any) -> None:
    with pytest.raises(Invalid) as refused:
        jwk.keys_in(untrusted, ES)

    assert refused.value.field == "jwks"
