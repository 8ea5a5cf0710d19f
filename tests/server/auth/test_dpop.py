"""Proofs of possession: one for this request, this token, this key, this once."""

import hashlib
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from multidict import CIMultiDict

from support.issuers import ec_key, jwk_of, part
from wand_server.auth import dpop, jwk
from wand_server.auth.asked import Asked, BadToken, Presented
from wand_server.auth.dpop import NONCE_SECONDS, BadProof, NeedsNonce, Nonces, Proofs, Seen
from wand_server.auth.possession import Possession

KEY, OTHER = ec_key(), ec_key()
THUMBPRINT = jwk.thumbprint(jwk_of(KEY))
TOKEN = "the.token"
URL = "https://wand.example/mcp"


def proof(header: dict[str, Any] | None = None, key: EllipticCurvePrivateKey = KEY, **claims: Any) -> str:
    digest = hashlib.sha256(TOKEN.encode()).digest()
    whole = {"htm": "POST", "htu": URL, "iat": time.time(), "jti": "1", "ath": part(digest), **claims}
    head = {"typ": "dpop+jwt", "jwk": jwk_of(key), **(header or {})}
    return jwt.encode(
        {name: value for name, value in whole.items() if value is not None}, key, "ES256", headers=head
    )


def asked(*proofs: str, method: str = "POST", path: str = "/mcp") -> Asked:
    headers = CIMultiDict([("Host", "127.0.0.1:8001"), *(("DPoP", one) for one in proofs)])
    return Asked(headers=headers, method=method, path=path)


def check(*proofs: str, thumbprint: str = THUMBPRINT) -> None:
    Proofs("https://wand.example").check(TOKEN, thumbprint, asked(*proofs))


@pytest.mark.parametrize("url", [URL, "HTTPS://WAND.example:443/mcp", f"{URL}?a=1", f"{URL}#x"])
def test_a_proof_for_this_request_counts(url: str) -> None:
    check(proof(htu=url))


BAD: dict[str, tuple[str, ...]] = {
    "none": (),
    "two": (proof(), proof(jti="2")),
    "empty": ("",),
    "no token": ("x.y.z",),
    "too large": (proof(more="x" * 20_000),),
    "another key than the token's": (proof(key=OTHER),),
    "another method": (proof(htm="GET"),),
    "no method": (proof(htm=None),),
    "another host": (proof(htu="https://evil.example/mcp"),),
    "another path": (proof(htu="https://wand.example/other"),),
    "another scheme": (proof(htu="http://wand.example/mcp"),),
    "a URL that is none": (proof(htu="https://[/mcp"),),
    "another token": (proof(ath=part(hashlib.sha256(b"x").digest())),),
    "no token's hash": (proof(ath=None),),
    "old": (proof(iat=time.time() - 600),),
    "of tomorrow": (proof(iat=time.time() + 9999),),
    "of no time": (proof(iat=None),),
    "of a time that is true": (proof(iat=True),),
    "no id": (proof(jti=None),),
    "an empty id": (proof(jti=""),),
    "an id that is too long": (proof(jti="x" * 257),),
    "an access token": (proof({"typ": "at+jwt"}),),
    "no key": (proof({"jwk": None}),),
    "a private key": (proof({"jwk": {**jwk_of(KEY), "d": "AAAA"}}),),
    "a shared secret": (
        jwt.encode({}, "x" * 32, "HS256", headers={"typ": "dpop+jwt", "jwk": {"kty": "oct", "k": "eA"}}),
    ),
    "another key in its header": (proof({"jwk": jwk_of(OTHER)}),),
    "alg none": (f"{part({'typ': 'dpop+jwt', 'alg': 'none', 'jwk': jwk_of(KEY)})}.{part({})}.",),
    "a deep header": (f"{part(b'[' * 9000)}.{part({})}.x",),
    "deep claims": (jwt.api_jws.encode(b"[" * 9000, KEY, "ES256", {"typ": "dpop+jwt", "jwk": jwk_of(KEY)}),),
    "a key without its kind": (proof({"jwk": {}}),),
    "an extension": (proof({"crit": ["x"], "x": 1}),),
}


@pytest.mark.parametrize("case", BAD)
def test_a_proof_of_something_else_counts_for_nothing(case: str) -> None:
    with pytest.raises(BadProof) as refused:
        check(*BAD[case])
    assert refused.value.reason == "invalid_dpop_proof"


def test_a_proof_counts_once() -> None:
    proofs, one = Proofs("https://wand.example"), proof()
    proofs.check(TOKEN, THUMBPRINT, asked(one))

    with pytest.raises(BadProof, match="used before"):
        proofs.check(TOKEN, THUMBPRINT, asked(one))


def test_what_was_seen_is_forgotten_when_it_counts_no_more() -> None:
    now = [0.0]
    seen = Seen(lambda: now[0])
    seen.note("k", "1")
    now[0] = 1000.0
    seen.note("k", "2")

    assert len(seen._until) == 1


def test_where_too_many_are_seen_none_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dpop, "MOST_SEEN", 2)
    seen = Seen()
    seen.note("k", "1")
    seen.note("k", "2")

    with pytest.raises(BadProof, match="too many"):
        seen.note("k", "3")


@pytest.mark.parametrize(
    ("confirmation", "scheme", "why"),
    [
        ({"jkt": THUMBPRINT}, "bearer", "bound to a key"),
        ({}, "dpop", "bound to no key"),
        ({"x5t#S256": "x"}, "bearer", "client certificate"),
        ({"x5t#S256": "x"}, "dpop", "bound to no key"),
        ({"jwk": "x"}, "bearer", "unknown"),
        ({"jkt": 5}, "dpop", "unknown"),
    ],
)
def test_a_bound_token_is_refused_without_its_proof(
    confirmation: dict[str, Any], scheme: str, why: str
) -> None:
    with pytest.raises(BadToken, match=why):
        Possession(Proofs(), required=False).check(
            confirmation, Presented(scheme=scheme, token=TOKEN), asked()
        )


def test_where_proofs_are_required_a_free_token_is_refused() -> None:
    with pytest.raises(BadToken, match="must be bound"):
        Possession(Proofs(), required=True).check({}, Presented(scheme="bearer", token=TOKEN), asked())


def test_a_bound_token_counts_with_its_proof() -> None:
    door = Possession(Proofs("https://wand.example"), required=True)

    door.check({"jkt": THUMBPRINT}, Presented(scheme="dpop", token=TOKEN), asked(proof()))


def test_a_token_is_bound_to_the_certificate_that_came_with_it() -> None:
    bound = {"x5t#S256": part(hashlib.sha256(b"der").digest())}
    presented = Presented(scheme="bearer", token=TOKEN)
    door = Possession(None)

    door.check(bound, presented, Asked(headers=CIMultiDict(), certificate=b"der"))
    with pytest.raises(BadToken, match="another client certificate"):
        door.check(bound, presented, Asked(headers=CIMultiDict(), certificate=b"other"))


def test_without_a_token_yet_a_proof_tells_the_key() -> None:
    proofs = Proofs("https://wand.example")
    brought = proof(htu="https://wand.example/oauth/token", ath=None)
    assert proofs.key_of(asked(brought, path="/oauth/token")) == THUMBPRINT
    for bad in (brought, proof(ath=None, jti="2"), "x.y.z"):
        with pytest.raises(BadProof):
            proofs.key_of(asked(bad, path="/oauth/token"))


def test_strangers_with_many_proofs_keep_nobody_from_a_token_or_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dpop, "MOST_SEEN", 2)
    proofs = Proofs("https://wand.example")

    for number in range(4):  # each with a key that was just made
        proofs.key_of(asked(proof(key=ec_key(), jti=str(number), htu=URL)))

    assert proofs.key_of(asked(proof(jti="mine"))) == THUMBPRINT
    proofs.check(TOKEN, THUMBPRINT, asked(proof(jti="a call")))
    with pytest.raises(BadProof, match="before"):
        proofs.key_of(asked(proof(jti="mine")))


@pytest.mark.parametrize("age_seconds", [0, NONCE_SECONDS])
def test_a_proof_with_a_nonce_of_ours_counts(age_seconds: int) -> None:
    now = [1_000_000.0]
    nonces = Nonces(lambda: now[0])
    nonce = nonces.fresh()
    now[0] += age_seconds
    Proofs("https://wand.example", nonces=nonces).check(TOKEN, THUMBPRINT, asked(proof(nonce=nonce)))


def changed(nonce: str) -> str:
    return nonce[:3] + ("B" if nonce[3] == "A" else "A") + nonce[4:]


NONCES = {
    "none": lambda _: None,
    "empty": lambda _: "",
    "of another server": lambda _: Nonces().fresh(),
    "no text": lambda _: [5],
    "no base64": lambda _: "\u00e9",
    "half": lambda ours: ours.fresh()[:16],
    "with another time": lambda ours: changed(ours.fresh()),
    "with something behind it": lambda ours: ours.fresh() + "=",
}


@pytest.mark.parametrize("bring", NONCES.values(), ids=list(NONCES))
def test_a_nonce_that_is_not_ours_is_answered_with_one_that_is(bring: Any) -> None:
    nonces = Nonces()
    proofs = Proofs("https://wand.example", nonces=nonces)
    with pytest.raises(NeedsNonce) as caught:
        proofs.check(TOKEN, THUMBPRINT, asked(proof(nonce=bring(nonces))))
    proofs.check(TOKEN, THUMBPRINT, asked(proof(nonce=caught.value.nonce)))


@pytest.mark.parametrize("seconds", [-1.0, NONCE_SECONDS + 1.0])
def test_a_nonce_counts_for_its_time_alone(seconds: float) -> None:
    now = [1_000_000.0]
    nonces = Nonces(lambda: now[0])
    nonce = nonces.fresh()
    now[0] += seconds
    with pytest.raises(NeedsNonce, match="too old"):
        nonces.check(nonce)
