"""What a token says, as a principal."""

from typing import Any

import pytest

from support.issuers import Issuer
from wand_server.auth.asked import BadToken
from wand_server.auth.claims import ClaimNames, check_kind, granted, principal_of

NAMES = ClaimNames(
    scope="scp", scope_map={"mcp.use": frozenset({"wand:read", "wand:execute"})},
    default_scopes=frozenset({"wand:read"}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "opens"),
    [
        ("wand:write", {"wand:write"}),
        (["wand:write", "x"], {"wand:write"}),
        ("mcp.use wand:write", {"wand:read", "wand:execute", "wand:write"}),
        ("openid", {"wand:read"}),
        ("", {"wand:read"}),
        (None, {"wand:read"}),
        (7, {"wand:read"}),
        ([7, None], {"wand:read"}),
        ("wand:admin\twand:write", {"wand:read"}),
    ],
)
def test_scopes_are_ours_or_mapped_to_ours(said: Any, opens: set[str]) -> None:
    assert granted({"scp": said}, NAMES) == opens


def test_without_a_default_a_token_without_scopes_opens_nothing() -> None:
    assert granted({}, ClaimNames()) == frozenset()


@pytest.mark.parametrize(
    "said",
    [
        {"at_hash": "x"},
        {"c_hash": "x"},
        {"events": {}},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"token_use": "id"},
    ],
)
def test_a_token_for_other_ends_is_no_access_token(said: dict[str, Any]) -> None:
    check_kind(Issuer().claims(typ="Bearer", token_use="access"))
    with pytest.raises(BadToken, match="no access token"):
        check_kind(Issuer().claims(**said))


def test_an_actor_acts_on_behalf_of_the_subject() -> None:
    claims = Issuer().claims(sub="ann", act={"sub": "bot", "act": {"sub": "older"}})

    principal = principal_of(claims, ClaimNames(name_prefix="login:"))

    assert (principal.name, principal.on_behalf_of) == ("login:bot", "login:ann")


def test_another_claim_may_name_the_principal() -> None:
    claims = Issuer().claims(preferred_username="ann@example.com")

    assert principal_of(claims, ClaimNames(name="preferred_username")).name == "ann@example.com"
    with pytest.raises(BadToken, match="email must name"):
        principal_of(claims, ClaimNames(name="email"))


@pytest.mark.parametrize(
    ("said", "groups"), [(None, ()), ([], ()), ("dev", ("dev",)), (["a", "b c"], ("a", "b c"))]
)
def test_groups_are_names(said: Any, groups: tuple[str, ...]) -> None:
    assert principal_of(Issuer().claims(groups=said), ClaimNames()).groups == groups


@pytest.mark.parametrize("said", [["a,b"], [""], [1], {"a": 1}, ["a\n"], ["x" * 5000], True])
def test_groups_are_all_carried_on_or_the_token_is_refused(said: Any) -> None:
    with pytest.raises(BadToken, match="groups"):
        principal_of(Issuer().claims(groups=said), ClaimNames())
