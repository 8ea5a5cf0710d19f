"""JSON Web Keys (RFC 7517) as keys that verify, each by the one algorithm that it is for."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Collection
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.exceptions import PyJWTError

from wand_proto.errors import Invalid
from wand_server.auth.tokens import Algorithm, PublicKey

MOST_KEYS = 64
ONLY = ""  # the id of a key that has none
_RSA_BITS = range(2048, 8193)
_CURVES: dict[str, Algorithm] = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA: tuple[Algorithm, ...] = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_THUMBPRINT = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}


def keys_in(untrusted: Any, permitted: Collection[str]) -> dict[str, PublicKey]:
    """The keys of a set (RFC 7517, 5) that verify by a permitted algorithm; others are passed over.

    Raises:
        Invalid: it is no set, or too large a one.
    """
    found = untrusted.get("keys") if isinstance(untrusted, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Invalid("is no JSON Web Key Set: keys must be a list of objects", field="jwks")
    if len(found) > MOST_KEYS:
        raise Invalid(f"has {len(found)} keys, and {MOST_KEYS} are the most", field="jwks")
    read = [(one.get("kid", ONLY), _optional(one, permitted)) for one in found]
    return {kid: key for kid, key in read if key is not None and isinstance(kid, str)}


def key_in(untrusted: dict[str, Any], permitted: Collection[str]) -> PublicKey:
    """A public key that verifies by one permitted algorithm.

    Raises:
        Invalid: it is none.
    """
    if untrusted.get("use", "sig") != "sig" or "d" in untrusted or "k" in untrusted:
        raise Invalid("must be a public key that verifies", field="jwk")
    if untrusted.get("alg") not in (None, *permitted):
        raise Invalid(f"is not among {', '.join(permitted)}", field="alg")
    try:
        key = jwt.PyJWK(untrusted, _named(untrusted, permitted)).key
    except (PyJWTError, ValueError, TypeError, KeyError, NotImplementedError) as why:
        raise Invalid(f"is no JSON Web Key that can be used ({why})", field="jwk") from why
    return pinned(key, untrusted.get("alg"), permitted)


def key_in_pem(text: bytes, permitted: Collection[str]) -> PublicKey:
    """The public key in a PEM file.

    Raises:
        Invalid: it is none.
    """
    try:
        key = load_pem_public_key(text)
    except ValueError as why:
        raise Invalid(f"is no public key in PEM ({why})", field="pem") from why
    return pinned(key, None, permitted)


def pinned(key: Any, said: Any, permitted: Collection[str]) -> PublicKey:
    """The key with the one algorithm that it is for: `said`, where its kind leaves a choice.

    Raises:
        Invalid: its kind, its length or its algorithm is not permitted.
    """
    algorithm = _algorithm(key, said, permitted)
    if algorithm not in permitted or said not in {None, algorithm}:
        raise Invalid(f"{said or algorithm} is not among {', '.join(permitted)}", field="alg")
    return PublicKey(key=key, algorithm=algorithm)


def thumbprint(key: dict[str, Any]) -> str:
    """The hash by which tokens are bound to a key (RFC 7638).

    Raises:
        Invalid: a part is missing.
    """
    names = _THUMBPRINT.get(str(key.get("kty")), ())
    parts = {name: key.get(name) for name in names}
    if not parts or not all(isinstance(part, str) for part in parts.values()):
        raise Invalid("is no public key", field="jwk")
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _optional(untrusted: dict[str, Any], permitted: Collection[str]) -> PublicKey | None:
    try:
        return key_in(untrusted, permitted)
    except Invalid:
        return None


def _named(untrusted: dict[str, Any], permitted: Collection[str]) -> str | None:
    """What PyJWT needs to be told to read a key of RSA, which need not say what it is for."""
    said = untrusted.get("alg")
    if untrusted.get("kty") == "RSA" and said is None:
        return next((name for name in _RSA if name in permitted), "RS256")
    return said if isinstance(said, str) else None


def _algorithm(key: Any, said: Any, permitted: Collection[str]) -> Algorithm:
    if isinstance(key, EllipticCurvePublicKey):
        if key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
    elif isinstance(key, Ed25519PublicKey):
        return "EdDSA"
    elif isinstance(key, RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise Invalid(f"has {key.key_size} bits, and 2048 to 8192 are permitted", field="jwk")
        wanted = said if said in _RSA else next((name for name in _RSA if name in permitted), "RS256")
        return cast("Algorithm", wanted)
    raise Invalid("must be of RSA, P-256, P-384, P-521 or Ed25519", field="jwk")
