"""Tokens that only their issuer can read."""

import time
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict

from support.issuers import RESOURCE, Issuer
from wand_proto.errors import Unavailable
from wand_server.auth import introspection
from wand_server.auth.asked import Asked, BadToken, Presented
from wand_server.auth.claims import ClaimNames
from wand_server.auth.introspection import Introspected, Meant
from wand_server.auth.possession import Possession
from wand_server.model import Principal

ISSUER = Issuer()
MEANT = Meant(issuer=ISSUER.name, audiences=(RESOURCE,), names=ClaimNames())


def answer(**more: Any) -> dict[str, Any]:
    return {"active": True, "token_type": "Bearer", **ISSUER.claims(**more)}


class Asking:
    """Says what it is told to, and counts how often."""

    def __init__(self, says: Mapping[str, Any] | Exception) -> None:
        self.says = says
        self.tokens: list[str] = []

    async def __call__(self, token: str) -> Mapping[str, Any]:
        self.tokens.append(token)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


async def signed_in(asking: Asking, token: str = "opaque", times: int = 1) -> Principal | None:
    door = Introspected(asking, MEANT, Possession(None))
    found = None
    for _ in range(times):
        found = await door.principal(Presented(scheme="bearer", token=token), Asked(headers=CIMultiDict()))
    return found


async def test_an_active_token_lets_in_and_is_remembered() -> None:
    asking = Asking(answer(iss=None))

    principal = await signed_in(asking, times=5)

    assert principal is not None
    assert (principal.name, set(principal.scopes)) == ("ann", {"wand:read"})
    assert asking.tokens == ["opaque"]


async def test_a_token_of_a_client_alone_is_about_the_client() -> None:
    principal = await signed_in(Asking(answer(sub=None, client_id="agent")))

    assert principal is not None
    assert principal.name == "agent"


@pytest.mark.parametrize(
    "says",
    [
        {},
        {"active": False},
        {"active": "true", **ISSUER.claims()},
        {"active": 1, **ISSUER.claims()},
        answer(iss="https://other.example"),
        answer(aud=None),
        answer(aud="https://other.example"),
        answer(aud=[["https://wand.example/mcp"]]),
        answer(exp=None),
        answer(exp="9999999999"),
        answer(exp=True),
        answer(exp=time.time() - 60),
        answer(nbf=time.time() + 9999),
        answer(sub=None, client_id=None),
        answer(token_type="refresh_token"),
        answer(cnf={"jkt": "x"}),
        answer(cnf=[]),
    ],
)
async def test_a_token_that_is_not_active_and_ours_lets_nobody_in(says: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        await signed_in(Asking(says))


async def test_a_token_that_was_refused_is_not_asked_about_again_at_once() -> None:
    asking = Asking({"active": False})
    door = Introspected(asking, MEANT, Possession(None))
    for _ in range(5):
        with pytest.raises(BadToken, match="not active"):
            await door.principal(Presented(scheme="bearer", token="x"), Asked(headers=CIMultiDict()))

    assert asking.tokens == ["x"]


async def test_refusals_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection, "_MOST_REFUSED", 3)
    door = Introspected(Asking({"active": False}), MEANT, Possession(None))
    for number in range(10):
        with pytest.raises(BadToken):
            await door.principal(Presented(scheme="bearer", token=f"x{number}"), Asked(headers=CIMultiDict()))

    assert len(door._refused) <= 3


@pytest.mark.parametrize("token", ["wand_abc", "eyJ.x.y"])
async def test_what_others_can_read_is_not_asked_about(token: str) -> None:
    asking = Asking(answer())

    assert await signed_in(asking, token) is None
    assert not asking.tokens


@pytest.mark.parametrize("token", ["x" * 20_000, "\udcff", "é"])
async def test_what_can_be_no_token_is_not_asked_about(token: str) -> None:
    asking = Asking(answer())
    with pytest.raises(BadToken, match="malformed"):
        await signed_in(asking, token)
    assert not asking.tokens


async def test_an_issuer_that_is_away_lets_nobody_in_and_says_so() -> None:
    with pytest.raises(Unavailable):
        await signed_in(Asking(Unavailable("away")))


class Open:
    """What somebody has opened by a token, and time as it goes by."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asking = Asking(answer(jti=None))
        self.door = Introspected(self.asking, MEANT, Possession(None), lambda: self.now)

    async def sign_in(self, token: str = "opaque") -> Principal:
        presented = Presented(scheme="bearer", token=token)
        found = await self.door.principal(presented, Asked(headers=CIMultiDict()))
        assert found is not None
        return found

    async def is_over(self, principal: Principal, later: float) -> bool:
        """Whether it is, once an answer that was asked for has come."""
        self.now += later
        await self.door.is_over(principal)
        if (asked := self.door._held[principal.credential].asking) is not None:
            await asked
        return await self.door.is_over(principal)


async def test_what_a_token_has_opened_ends_when_its_issuer_has_taken_it_back() -> None:
    opened = Open()
    one, other = await opened.sign_in(), await opened.sign_in("another")
    opened.asking.says = {"active": False}

    assert one.credential != other.credential
    assert not await opened.is_over(one, 29)
    assert opened.asking.tokens == ["opaque", "another"]
    assert await opened.is_over(one, 1)
    assert not await opened.is_over(replace(other, expires=time.time() - 1), 60)
    assert opened.asking.tokens == ["opaque", "another", "opaque"]


async def test_an_issuer_that_is_away_is_waited_for_and_not_for_ever() -> None:
    opened = Open()
    principal = await opened.sign_in()
    well, opened.asking.says = opened.asking.says, Unavailable("away")

    told = [await opened.is_over(principal, later) for later in (31, 60, 200, 39, 1)]
    opened.asking.says = well
    told += [await opened.is_over(principal, 30)]

    assert told == [False, False, False, False, True, False]


async def test_of_others_nothing_is_said() -> None:
    opened = Open()
    principal = await opened.sign_in()

    for other in (replace(principal, credential="x"), replace(principal, means="api_key")):
        assert not await opened.door.is_over(other)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"exp": 1000}, ""),
        ({"exp": 971}, ""),  # clocks may differ by half a minute
        ({"exp": 970}, "has expired"),
        ({"exp": 1000, "nbf": 1030}, ""),
        ({"exp": 1000, "nbf": 1031}, "does not count yet"),
        ({}, "does not say when the token expires"),
        ({"exp": "soon"}, "does not say when"),
        ({"exp": True}, "does not say when"),
    ],
)
def test_a_token_counts_from_its_beginning_to_its_end(
    monkeypatch: pytest.MonkeyPatch, times: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr("wand_server.auth.introspection.time", SimpleNamespace(time=lambda: 1000.0))

    if not said:
        introspection._check_times(times)
        return
    with pytest.raises(BadToken, match=said):
        introspection._check_times(times)
