"""What signing in says, word by word, and the bounds at which it turns: tables of values."""

import hashlib
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, SECP521R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_curve_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from multidict import CIMultiDict

from support.issuers import RSA_KEY, Issuer, ec_key, jwk_of
from wand_proto.errors import Invalid, Unauthenticated, Unavailable
from wand_server import scopes
from wand_server.auth import claims, compact, discovery, dpop, introspection, jwk, resource
from wand_server.auth.asked import Asked, BadToken
from wand_server.auth.certificates import Certificates, Holder, names_in
from wand_server.auth.challenge import Challenge
from wand_server.auth.compact import Expected
from wand_server.auth.guard import Guard
from wand_server.auth.keys import Keys
from wand_server.auth.origins import Origins
from wand_server.scopes import InsufficientScope

# -- what a refused client is told ---------------------------------------------------------------------

WHERE = "https://wand.example/meta"


@pytest.mark.parametrize(
    ("challenge", "why", "said"),
    [
        (Challenge(), Unauthenticated("nobody"), 'Bearer realm="wand"'),
        (
            Challenge(), BadToken('a "b" \\'),
            'Bearer realm="wand", error="invalid_token", error_description="a \'b\' /"',
        ),
        (
            Challenge(resource_metadata=WHERE), Unauthenticated("nobody"),
            f'Bearer realm="wand", scope="read write execute", resource_metadata="{WHERE}"',
        ),
        (
            Challenge(scopes=("read",), resource_metadata=WHERE, dpop_algorithms=("ES256", "EdDSA")),
            BadToken("x"),
            ('Bearer realm="wand", error="invalid_token", error_description="x", scope="read",'
            f' resource_metadata="{WHERE}", DPoP realm="wand", error="invalid_token",'
            f' algs="ES256 EdDSA", resource_metadata="{WHERE}"'),
        ),
    ],
)  # fmt: skip
def test_a_challenge_says_how_to_sign_in(challenge: Challenge, why: Unauthenticated, said: str) -> None:
    assert challenge.unauthenticated(why) == said.replace("read write execute", " ".join(Challenge().scopes))


def test_who_lacks_a_scope_is_told_what_to_ask_for_instead() -> None:
    told = Challenge(resource_metadata=WHERE).insufficient(
        InsufficientScope("x", "b", ()), frozenset({"c", "a"})
    )
    assert told == (
        f'Bearer realm="wand", error="insufficient_scope", scope="a b c", resource_metadata="{WHERE}"'
    )


def test_a_resource_tells_of_itself() -> None:
    told: dict[str, Any] = {
        "resource": "https://wand.example/mcp", "authorization_servers": ["https://a"],
        "scopes_supported": list(scopes.MEANING), "bearer_methods_supported": ["header"],
        "resource_name": "Wand",
    }  # fmt: skip
    assert resource.metadata("https://wand.example/mcp", ["https://a"]) == told
    assert resource.metadata("https://wand.example/mcp", ["https://a"], ["ES256"]) == {
        **told, "dpop_signing_alg_values_supported": ["ES256"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("is_secure", "path", "url"),
    [(False, "/mcp?a=1", "http://h:1/mcp"), (True, "/mcp", "https://h:1/mcp")],
)
def test_where_a_client_wanted_to_go(*, is_secure: bool, path: str, url: str) -> None:
    headers = CIMultiDict([("Host", "h:1"), ("Host", "other")])
    assert Asked(headers=headers, path=path, is_secure=is_secure).url == url


# -- keys ------------------------------------------------------------------------------------------------

ALL = ("ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


def public(key: Any, **more: Any) -> dict[str, Any]:
    algorithm = jwt.algorithms.get_default_algorithms()[
        "EdDSA" if isinstance(key, Ed25519PrivateKey) else "RS256" if key is RSA_KEY else "ES256"
    ]
    found: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)
    return {**{name: value for name, value in found.items() if name not in {"key_ops", "alg"}}, **more}


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec_key(), "ES256"),
        (new_curve_key(SECP384R1()), "ES384"),
        (new_curve_key(SECP521R1()), "ES512"),
        (Ed25519PrivateKey.generate(), "EdDSA"),
        (RSA_KEY, "RS256"),
    ],
)
def test_a_key_is_for_the_one_algorithm_of_its_kind(key: Any, algorithm: str) -> None:
    assert jwk.key_in(public(key), ALL).algorithm == algorithm
    with pytest.raises(Invalid) as refused:
        jwk.key_in(public(key), ["none"])
    assert refused.value.field in {"alg", "jwk"}
    assert len(jwk.thumbprint(public(key))) == 43


@pytest.mark.parametrize("algorithm", [name for name in ALL if name[:2] in {"RS", "PS"}])
def test_a_key_of_rsa_is_for_what_it_says_else_for_the_first_that_is_permitted(algorithm: str) -> None:
    assert jwk.key_in(public(RSA_KEY, alg=algorithm), ALL).algorithm == algorithm
    assert jwk.key_in(public(RSA_KEY), [algorithm]).algorithm == algorithm
    assert jwk.pinned(RSA_KEY.public_key(), None, [algorithm]).algorithm == algorithm
    with pytest.raises(Invalid):
        jwk.key_in(public(RSA_KEY, alg=algorithm), ["ES256"])


def test_a_key_says_no_algorithm_of_another_kind() -> None:
    with pytest.raises(Invalid) as refused:
        jwk.pinned(ec_key().public_key(), "ES384", ALL)
    assert (refused.value.field, "ES384" in refused.value.message) == ("alg", True)
    with pytest.raises(Invalid):
        jwk.key_in(public(RSA_KEY, alg=5), ALL)
    with pytest.raises(Invalid, match="RSA, P-256"):
        jwk.pinned("no key", None, ALL)


@pytest.mark.parametrize("lacks", ["crv", "x", "y", "kty"])
def test_a_thumbprint_needs_every_part(lacks: str) -> None:
    with pytest.raises(Invalid):
        jwk.thumbprint({name: value for name, value in jwk_of(ec_key()).items() if name != lacks})


def test_the_thumbprint_of_the_specification() -> None:
    """RFC 7638, 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi"
        "FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnY"
        "b9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0"
        "Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert jwk.thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


# -- proofs and tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA", "PS256", "RS256"])
def test_proofs_are_signed_by_these(algorithm: str) -> None:
    assert algorithm in dpop.ALGORITHMS
    assert len(dpop.ALGORITHMS) == 5


def proof_read(**said: Any) -> dict[str, Any]:
    key = ec_key()
    text = jwt.encode(said, key, "ES256", headers={"typ": "dpop+jwt", "jwk": jwk_of(key)})
    found, _ = dpop._read(text)
    return found


@pytest.mark.parametrize("said", [{"nbf": 9e9}, {"exp": 1}, {"iat": 9e9}, {"aud": "x"}])
def test_of_the_times_of_a_proof_only_ours_is_judged(said: dict[str, Any]) -> None:
    assert proof_read(**said) == said


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        (0, True), (-compact.LEEWAY_SECONDS, True), (-compact.LEEWAY_SECONDS - 1, False),
        (60 + compact.LEEWAY_SECONDS, True), (61 + compact.LEEWAY_SECONDS, False), (None, False),
    ],
)  # fmt: skip
def test_how_old_a_proof_may_be(age: float | None, *, counts: bool) -> None:
    assert dpop._is_now(None if age is None else 1000.0 - age, 1000.0) is counts


def test_a_proof_is_remembered_for_as_long_as_it_could_count() -> None:
    now = [0.0]
    seen = dpop.Seen(lambda: now[0])
    seen.note("k", "1")
    seen.note("j", "1")
    now[0] = 60 + 2 * compact.LEEWAY_SECONDS - 0.1
    with pytest.raises(dpop.BadProof):
        seen.note("k", "1")
    now[0] += 0.1
    seen.note("k", "1")
    assert list(seen._until) == [("k", "1")]


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://H/x", ("http", "h:80", "/x")), ("https://h/x", ("https", "h:443", "/x")),
        ("http://h:81/x?y#z", ("http", "h:81", "/x")), ("http://h:x/", ("", "", "")),
    ],
)  # fmt: skip
def test_what_of_a_url_counts(url: str, plain: tuple[str, str, str]) -> None:
    assert dpop._plain(url) == plain


ISSUER = Issuer()
EXPECTED = Expected(issuer=ISSUER.name, audiences=("https://wand.example/mcp",), types=("at+jwt",))


def test_a_token_by_another_algorithm_than_its_keys_is_refused_before_it_is_looked_at() -> None:
    key = jwk.key_in(public(RSA_KEY), ["PS256"])
    text = jwt.encode({"a": 1}, RSA_KEY, "RS256", headers={"typ": "at+jwt"})
    with pytest.raises(BadToken, match="is not signed by PS256"):
        compact.verified(text, compact.apart(text), key, EXPECTED)


def test_a_name_that_stands_twice_makes_a_token_malformed() -> None:
    with pytest.raises(BadToken, match="malformed"):
        compact._object(urlsafe_b64encode(b'{"alg":"ES256","alg":"none"}').decode().rstrip("="))


@pytest.mark.parametrize(("over", "passes"), [(0, True), (1, False)])
def test_groups_are_carried_on_up_to_so_many_letters(over: int, *, passes: bool) -> None:
    whole = ["a" * (claims._GROUPS_CEILING - 2 + over), "b"]
    if passes:
        assert claims._groups(whole, "") == tuple(whole)
        return
    with pytest.raises(BadToken):
        claims._groups(whole, "")


# -- an issuer that is asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ({}, "does not say when"), ({"exp": True}, "does not say when"), ({"exp": "9"}, "does not say when"),
        ({"exp": -1 - compact.LEEWAY_SECONDS}, "has expired"), ({"exp": 1 - compact.LEEWAY_SECONDS}, ""),
        ({"exp": 99, "nbf": 1 + compact.LEEWAY_SECONDS}, "does not count yet"),
        ({"exp": 99, "nbf": -1 + compact.LEEWAY_SECONDS}, ""), ({"exp": 99, "nbf": "x"}, "does not say when"),
    ],
)  # fmt: skip
def test_the_times_of_an_answer(times: dict[str, Any], why: str) -> None:
    now = time.time()
    told = {name: now + value if type(value) is int else value for name, value in times.items()}
    if not why:
        introspection._check_times(told)
        return
    with pytest.raises(BadToken, match=why):
        introspection._check_times(told)


async def test_where_nothing_is_told_each_place_says_why() -> None:
    class Nowhere:
        async def get(self, url: str) -> dict[str, Any]:
            raise Unavailable(f"nothing at {url[:60]}")

    with pytest.raises(Unavailable) as refused:
        await discovery.discover("https://a.example/x", Nowhere())
    assert refused.value.message.count("nothing at https://a.example") == 3


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"jwks_uri": 5}, "names no jwks_uri"),
        ({"jwks_uri": "https://a/k", "introspection_endpoint": 5}, "names no"),
        ({"issuer": "https://b"}, "of the issuer 'https://b'"),
    ],
)  # fmt: skip
def test_metadata_that_names_no_keys(told: dict[str, Any], why: str) -> None:
    with pytest.raises(Unavailable, match=why):
        discovery.read({"issuer": "https://a", **told}, "https://a")


@pytest.mark.parametrize("name", ["jwks_uri", "introspection_endpoint"])
def test_metadata_that_leads_where_we_do_not_fetch_says_by_which_name(name: str) -> None:
    told = {"issuer": "https://a", "jwks_uri": "https://a/k", name: "http://elsewhere/x"}
    with pytest.raises(Invalid) as refused:
        discovery.read(told, "https://a")
    assert refused.value.field == name


# -- certificates, pages -------------------------------------------------------------------------------------


def certificate(*names: x509.GeneralName, days: int = 1) -> bytes:
    key, now = ec_key(), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ann")])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


NAMES = (
    x509.UniformResourceIdentifier("spiffe://a/b"), x509.DNSName("a.example"), x509.RFC822Name("a@b.example"),
)  # fmt: skip


def test_what_a_certificate_names() -> None:
    found = list(names_in(x509.load_der_x509_certificate(certificate(*NAMES))))
    assert found == ["URI:spiffe://a/b", "DNS:a.example", "email:a@b.example", "subject:CN=ann"]
    assert list(names_in(x509.load_der_x509_certificate(certificate()))) == ["subject:CN=ann"]


@pytest.mark.parametrize("name", ["URI:spiffe://a/b", "DNS:a.example", "email:a@b.example", "subject:CN=ann"])
def test_a_certificate_stands_for_its_holder(name: str) -> None:
    der = certificate(*NAMES)
    holder = Holder(name="ann", groups=("g",), on_behalf_of="bob", scopes=frozenset({"read"}))
    found = Certificates({name: holder}).principal(der)
    assert (found.name, found.means, found.groups, found.on_behalf_of) == (
        "ann",
        "certificate",
        ("g",),
        "bob",
    )
    assert found.scopes == {"read"}
    assert hashlib.sha256(der).hexdigest().startswith(found.credential)
    assert found.expires is not None
    assert 0 < found.expires - time.time() <= 86400


@pytest.mark.parametrize(
    ("holders", "days", "why"),
    [
        ({}, 1, "for nobody"), ({"DNS:b.example": Holder(name="b")}, 1, "for nobody"),
        ({"DNS:a.example": Holder(name="a"), "URI:spiffe://a/b": Holder(name="b")}, 1, "for nobody"),
        ({"DNS:a.example": Holder(name="a")}, -1, "has expired"),
    ],
)  # fmt: skip
def test_a_certificate_of_nobody_of_two_or_of_the_past_lets_nobody_in(
    holders: dict[str, Holder], days: int, why: str
) -> None:
    with pytest.raises(BadToken, match=why):
        Certificates(holders).principal(certificate(*NAMES, days=days))


def test_what_is_no_certificate_cannot_be_read() -> None:
    with pytest.raises(BadToken, match="cannot be read"):
        Certificates({}).principal(b"x")


def test_a_page_may_ask_where_the_names_of_this_server_say_so(tmp_path: Path) -> None:
    guard = Guard(Keys(tmp_path / "keys.toml"), Origins())
    assert guard.permits("http://localhost:1") is Origins().permits("http://localhost:1")
    assert not guard.permits("https://evil.example")
