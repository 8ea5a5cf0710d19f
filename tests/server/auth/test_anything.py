"""Whatever a stranger puts into the headers, the guard lets in or refuses: it never breaks."""

import json
from pathlib import Path
from typing import Any

import jwt
from hypothesis import given, settings
from hypothesis import strategies as some
from multidict import CIMultiDict

from support.issuers import RESOURCE, Issuer, ec_key, jwk_of, part
from wand_proto.errors import Unauthenticated
from wand_server.auth import jwk
from wand_server.auth.asked import Asked
from wand_server.auth.bearer import ANY_TOKENS, Tokens, Trusted
from wand_server.auth.challenge import Challenge
from wand_server.auth.claims import ClaimNames
from wand_server.auth.dpop import Proofs
from wand_server.auth.guard import Guard
from wand_server.auth.issuerkeys import StaticKeys
from wand_server.auth.keys import Keys
from wand_server.auth.origins import Origins
from wand_server.auth.possession import Possession

ISSUER, CLIENT = Issuer(), ec_key()
KEYS = StaticKeys(ISSUER.name, jwk.keys_in(ISSUER.jwks(), ("ES256", "RS256")))
TRUSTED = Trusted(keys=KEYS, audiences=(RESOURCE,), names=ClaimNames(), types=ANY_TOKENS)
GUARD = Guard(
    Keys(Path("/nothing/keys.toml")), Origins(), [Tokens([TRUSTED], Possession(Proofs()))],
    Challenge(resource_metadata="https://x", dpop_algorithms=("ES256",)),
)  # fmt: skip
BOUND = ISSUER.token(cnf={"jkt": jwk.thumbprint(jwk_of(CLIENT))}, exp=4_000_000_000)

TEXT = some.text(max_size=40)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | TEXT,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
HEADERS = some.fixed_dictionaries(
    {},
    optional={
        "alg": some.sampled_from(["ES256", "none", "HS256", "RS256", "EdDSA", "ES512"]) | VALUES,
        "kid": some.sampled_from(["k1", ""]) | VALUES,
        "typ": some.sampled_from(["at+jwt", "JWT", "dpop+jwt"]) | VALUES,
        "jwk": some.just(jwk_of(CLIENT)) | some.fixed_dictionaries(
            {"kty": some.sampled_from(["EC", "RSA", "OKP", "oct"])},
            optional=dict.fromkeys(("crv", "x", "y", "n", "e", "k", "d", "alg", "use"), VALUES),
        ) | VALUES,
        "crit": VALUES, "jku": VALUES, "b64": VALUES,
    },
)  # fmt: skip
CLAIMS = some.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "groups", "act", "cnf", "sid"), VALUES
    ),
)


async def asks(headers: CIMultiDict[str]) -> None:
    """Ask, and check that a refusal can be told in a header."""
    try:
        await GUARD.principal(Asked(headers=headers))
    except Unauthenticated as why:
        told = GUARD.challenge.unauthenticated(why)
        assert "\r" not in told
        assert "\n" not in told


def came(authorization: str, **more: str) -> CIMultiDict[str]:
    return CIMultiDict({"Host": "localhost", "Authorization": authorization, **more})


@given(scheme=some.sampled_from(["Bearer ", "DPoP ", "Basic ", ""]), token=some.text(max_size=400))
@settings(deadline=None)
async def test_text(scheme: str, token: str) -> None:
    await asks(came(scheme + token))


@given(header=HEADERS, claims=CLAIMS | VALUES, signature=some.binary(max_size=80))
@settings(deadline=None)
async def test_tokens_that_nobody_has_signed(header: Any, claims: Any, signature: bytes) -> None:
    await asks(came(f"Bearer {part(header)}.{part(claims)}.{part(signature)}"))


@given(header=HEADERS, claims=CLAIMS)
@settings(deadline=None)
async def test_tokens_that_the_issuer_has_signed(header: Any, claims: Any) -> None:
    whole = {**ISSUER.claims(), **claims}
    about = {"typ": "at+jwt", "kid": "k1", **header, "alg": "ES256"}
    signed = f"{part(about)}.{part(whole)}"
    signature = jwt.algorithms.get_default_algorithms()["ES256"].sign(signed.encode(), ISSUER.private)
    await asks(came(f"Bearer {signed}.{part(signature)}"))


@given(header=HEADERS, claims=CLAIMS | VALUES, more=some.sampled_from([{}, {"alg": "ES256"}]))
@settings(deadline=None)
async def test_proofs(header: Any, claims: Any, more: dict[str, str]) -> None:
    about = {"typ": "dpop+jwt", "jwk": jwk_of(CLIENT), **header, **more}
    signed = f"{part(about)}.{part(claims)}"
    signature = jwt.algorithms.get_default_algorithms()["ES256"].sign(signed.encode(), CLIENT)
    await asks(came(f"DPoP {BOUND}", DPoP=f"{signed}.{part(signature)}"))


@given(key=VALUES | some.dictionaries(TEXT, VALUES, max_size=4))
@settings(deadline=None)
def test_sets_of_keys(key: Any) -> None:
    """A key that means nothing is passed over."""
    text = json.loads(json.dumps(key))
    if isinstance(text, dict):
        assert jwk.keys_in({"keys": [text, jwk_of(CLIENT, kid="good")]}, ("ES256",)).keys() >= {"good"}
