"""Tokens that let somebody in, and a table of forged ones that do not."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as some
from multidict import CIMultiDict

from support.issuers import RESOURCE, RSA_KEY, Issuer, ec_key, jwk_of, part, pem_of
from wand_proto.errors import Unauthenticated
from wand_server.auth import bearer, jwk
from wand_server.auth.asked import Asked, BadToken, Presented, TooLate
from wand_server.auth.bearer import Tokens, Trusted
from wand_server.auth.claims import ClaimNames
from wand_server.auth.issuerkeys import StaticKeys
from wand_server.auth.possession import Possession
from wand_server.model import Principal

ISSUER = Issuer()
OTHER = Issuer(name="https://other.example")
ALL = ("ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256")
NOW = int(time.time())


def door(issuer: Issuer = ISSUER, **more: Any) -> Tokens:
    keys = StaticKeys(issuer.name, jwk.keys_in(issuer.jwks(), ALL))
    about: dict[str, Any] = {"audiences": (RESOURCE,), "names": ClaimNames(), **more}
    return Tokens([Trusted(keys=keys, **about)], Possession(None))


async def signed_in(tokens: Tokens, token: str, scheme: str = "bearer") -> Principal | None:
    return await tokens.principal(Presented(scheme=scheme, token=token), Asked(headers=CIMultiDict()))


def by_hand(header: dict[str, Any], sign: Callable[[bytes], bytes], claims: Any = None) -> str:
    signed = f"{part(header)}.{part(ISSUER.claims() if claims is None else claims)}"
    return f"{signed}.{part(sign(signed.encode()))}"


def hmac_with(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda text: hmac.new(secret, text, hashlib.sha256).digest()


def nothing(_: bytes) -> bytes:
    return b""


PUBLIC_AS_TEXT = json.dumps(jwk_of(ISSUER.private)).encode()
TWICE = b'{"alg":"ES256","typ":"at+jwt","kid":"k1","alg":"none"}'
HEAD, CLAIMS, SIGNATURE = ISSUER.token().split(".")

FORGED: dict[str, str] = {
    "alg none": by_hand({"alg": "none", "typ": "at+jwt", "kid": "k1"}, nothing),
    "alg None": by_hand({"alg": "None", "typ": "at+jwt", "kid": "k1"}, nothing),
    "alg nOnE without kid": by_hand({"alg": "nOnE", "typ": "at+jwt"}, nothing),
    "no alg": by_hand({"typ": "at+jwt", "kid": "k1"}, nothing),
    "alg as a list": by_hand({"alg": ["ES256"], "typ": "at+jwt", "kid": "k1"}, nothing),
    "HS256 by the public key in PEM": by_hand(
        {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}, hmac_with(pem_of(ISSUER.private))
    ),
    "HS256 by the public key in JSON": by_hand(
        {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}, hmac_with(PUBLIC_AS_TEXT)
    ),
    "HS256 by nothing": by_hand({"alg": "HS256", "typ": "at+jwt", "kid": "k1"}, hmac_with(b"")),
    "the signature cut off": f"{HEAD}.{CLAIMS}.",
    "a signature of zeros (CVE-2022-21449)": f"{HEAD}.{CLAIMS}.{part(bytes(64))}",
    "other claims under the signature": f"{HEAD}.{part(ISSUER.claims(sub='root'))}.{SIGNATURE}",
    "another header over the signature": f"{part({'alg': 'ES256', 'typ': 'at+jwt'})}.{CLAIMS}.{SIGNATURE}",
    "signed by somebody else": Issuer(private=ec_key()).token(),
    "signed by RSA under the id of another key": Issuer(private=RSA_KEY, algorithm="RS256").token(),
    "another issuer": OTHER.token(),
    "another issuer that signs as ours": Issuer(name=OTHER.name, private=ISSUER.private).token(),
    "no issuer": ISSUER.token(iss=None),
    "issuers as a list": ISSUER.token(iss=[ISSUER.name]),
    "an issuer with a slash more": ISSUER.token(iss=ISSUER.name + "/"),
    "another audience": ISSUER.token(aud="https://other.example/mcp"),
    "an audience with a slash more": ISSUER.token(aud=RESOURCE + "/"),
    "our audience in another case": ISSUER.token(aud=RESOURCE.upper()),
    "no audience": ISSUER.token(aud=None),
    "an empty list of audiences": ISSUER.token(aud=[]),
    "an audience that is an object": ISSUER.token(aud={"0": RESOURCE}),
    "expired": ISSUER.token(exp=NOW - 60),
    "expired for ever": ISSUER.token(exp=0),
    "no end": ISSUER.token(exp=None),
    "an end that is true": ISSUER.token(exp=True),
    "an end that is text": ISSUER.token(exp="never"),
    "an endless end": ISSUER.token(exp=float("inf")),
    "not yet": ISSUER.token(nbf=NOW + 9999),
    "issued tomorrow": ISSUER.token(iat=NOW + 86400),
    "nobody": ISSUER.token(sub=None),
    "a number for a name": ISSUER.token(sub=5),
    "an empty name": ISSUER.token(sub=""),
    "a name with a line in it": ISSUER.token(sub="ann\nroot"),
    "a name that is too long": ISSUER.token(sub="a" * 257),
    "an identity token": ISSUER.token({"typ": "JWT"}),
    "a logout token": ISSUER.token({"typ": "logout+jwt"}),
    "a proof": ISSUER.token({"typ": "dpop+jwt"}),
    "no type": ISSUER.token({"typ": None}),
    "a kid that is a path": ISSUER.token({"kid": "../../../../dev/null"}),
    "a kid that is SQL": ISSUER.token({"kid": "k1' UNION SELECT 'x"}),
    "a kid that is a number": by_hand({"alg": "ES256", "typ": "at+jwt", "kid": 1}, nothing),
    "a kid that is too long": ISSUER.token({"kid": "k" * 257}),
    "a key of its own": ISSUER.token({"jwk": jwk_of(OTHER.private)}),
    "a place for its key": ISSUER.token({"jku": "https://evil.example/jwks"}),
    "a place for its certificate": ISSUER.token({"x5u": "https://evil.example/x"}),
    "an extension": ISSUER.token({"crit": ["exp"], "exp": 1}),
    "an unencoded payload": ISSUER.token({"b64": False, "crit": ["b64"]}),
    "a header that says it twice": (f"{part(TWICE)}.{CLAIMS}.{SIGNATURE}"),
    "too large": ISSUER.token(more="x" * 20_000),
    "no JSON": "ey." + CLAIMS + "." + SIGNATURE,
    "a list for a header": f"ey{part([])}.{CLAIMS}.{SIGNATURE}",
    "a hole in the middle": f"{HEAD}..{SIGNATURE}",
    "deep claims": f"{HEAD}.{part(b'[' * 9000)}.{SIGNATURE}",
    "what is no ASCII": f"{HEAD}é.{CLAIMS}.{SIGNATURE}",
    "half a character": f"{HEAD}.{CLAIMS}\udcff.{SIGNATURE}",
    "groups with a comma": ISSUER.token(groups=["a,b"]),
    "groups that are numbers": ISSUER.token(groups=[1]),
    "an actor without a name": ISSUER.token(act={}),
    "bound to a key": ISSUER.token(cnf={"jkt": "x"}),
    "bound in a way that is unknown": ISSUER.token(cnf={"kid": "x"}),
    "bound to nothing that we can read": ISSUER.token(cnf="x"),
}


@pytest.mark.parametrize("case", FORGED)
async def test_a_forged_token_lets_nobody_in(case: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await signed_in(door(), FORGED[case])

    assert FORGED[case] not in str(refused.value)


@pytest.mark.parametrize(("issuer", "is_late"), [(ISSUER, True), (Issuer(private=ec_key()), False)])
async def test_only_of_a_token_that_was_good_it_is_said_that_it_comes_too_late(
    issuer: Issuer, *, is_late: bool
) -> None:
    with pytest.raises(BadToken) as refused:
        await signed_in(door(), issuer.token(exp=0))

    assert isinstance(refused.value, TooLate) == is_late


@given(at=some.integers(0, len(ISSUER.token()) - 1), other=some.sampled_from("AZaz09-_."))
@settings(deadline=None)
async def test_a_token_with_one_character_changed_is_another(at: int, other: str) -> None:
    good = ISSUER.token()
    changed = good[:at] + other + good[at + 1 :]
    if jwt.utils.base64url_decode(good.split(".")[2]) == _signature(changed) and changed[:at] != good[:at]:
        return

    try:
        principal = await signed_in(door(), changed)
    except BadToken:
        return
    # what is left: not a token at all, or bits that base64 does not count
    assert principal is None or _means_the_same(good, changed)


def _signature(token: str) -> bytes:
    try:
        return bytes(jwt.utils.base64url_decode(token.rpartition(".")[2]))
    except ValueError:
        return b""


def _means_the_same(one: str, other: str) -> bool:
    return one.split(".")[:2] == other.split(".")[:2] and _signature(one) == _signature(other)


async def test_a_good_token_says_who_and_what_for() -> None:
    token = ISSUER.token(scope="openid wand:read wand:tool:x admin", groups=["dev", "ops"])

    principal = await signed_in(door(), token)

    assert principal is not None
    assert (principal.name, principal.means, principal.credential) == ("ann", "token", "t1")
    assert principal.scopes == {"wand:read", "wand:tool:x"}
    assert principal.groups == ("dev", "ops")
    assert principal.expires == pytest.approx(time.time() + 300, abs=30)


@pytest.mark.parametrize(
    "issuer",
    [
        Issuer(private=RSA_KEY, algorithm="RS256"),
        Issuer(private=ed25519.Ed25519PrivateKey.generate(), algorithm="EdDSA"),
    ],
    ids=lambda one: str(one.algorithm),
)
async def test_other_kinds_of_keys_sign_as_well(issuer: Issuer) -> None:
    assert await signed_in(door(issuer), issuer.token()) is not None


async def test_one_of_several_audiences_is_enough() -> None:
    assert await signed_in(door(), ISSUER.token(aud=["https://other.example", RESOURCE])) is not None


async def test_clocks_may_differ_a_little() -> None:
    tokens = door()

    assert await signed_in(tokens, ISSUER.token(exp=int(time.time()) - 5)) is not None
    assert await signed_in(tokens, ISSUER.token(nbf=int(time.time()) + 5)) is not None


async def test_older_issuers_say_another_type_or_none() -> None:
    tokens = door(types=bearer.ANY_TOKENS)

    assert await signed_in(tokens, ISSUER.token({"typ": "JWT"})) is not None
    assert await signed_in(tokens, ISSUER.token({"typ": None})) is not None
    assert await signed_in(tokens, ISSUER.token({"typ": "application/AT+JWT"})) is not None
    with pytest.raises(BadToken, match="typ"):
        await signed_in(tokens, ISSUER.token({"typ": "logout+jwt"}))


@pytest.mark.parametrize("token", ["wand_abc", "opaque", "a.b", "a.b.c", ""])
async def test_what_is_no_signed_token_is_left_to_others(token: str) -> None:
    assert await signed_in(door(), token) is None


async def test_a_good_token_is_remembered_and_no_longer_than_it_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens, token = door(), ISSUER.token(exp=int(time.time()) + 20)
    first = await signed_in(tokens, token)

    assert await signed_in(tokens, token) is first
    later = time.time() + 120
    monkeypatch.setattr(time, "time", lambda: later)
    assert tokens._remembered.find(token) is None


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ({"kty": "oct", "k": "AAAA"}, "public key"),
        ({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, "JSON Web Key"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "JSON Web Key"),
        ({**jwk_of(ec_key()), "use": "enc"}, "public key"),
        ({**jwk_of(ec_key()), "alg": "ES512"}, "among|JSON Web Key"),
        ({**jwk_of(ec_key()), "alg": "HS256"}, "among|JSON Web Key"),
        ({**jwk_of(RSA_KEY), "alg": "none"}, "among|JSON Web Key"),
        ({}, "JSON Web Key"),
    ],
)
def test_a_key_that_must_not_verify_is_none(key: dict[str, Any], why: str) -> None:
    with pytest.raises(Exception, match=why):
        jwk.key_in(key, ALL)
    assert jwk.keys_in({"keys": [{**key, "kid": "x"}]}, ALL) == {}


@pytest.mark.parametrize("untrusted", [None, [], {}, {"keys": {}}, {"keys": [1]}, {"keys": [{}] * 65}])
def test_what_is_no_set_of_keys_is_refused(untrusted: Any) -> None:
    with pytest.raises(Exception, match="jwks"):
        jwk.keys_in(untrusted, ALL)
