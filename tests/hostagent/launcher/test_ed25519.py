"""Our digests and signatures are everybody's."""

import hmac
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wand_hostagent.audit import verify
from wand_hostagent.launcher import ed25519
from wand_hostagent.launcher.digest import hmac_sha256

# RFC 8032, section 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"  # noqa: ISC004 - one signature
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"  # noqa: ISC004 - one signature
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"  # noqa: ISC004 - one signature
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc_come_out(seed: str, public: str, message: str, signature: str) -> None:
    key = bytes.fromhex(seed)
    assert ed25519.public(key).hex() == public
    assert ed25519.sign(key, bytes.fromhex(message)).hex() == signature
    assert verify.is_signed(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


def test_it_signs_as_another_library_does() -> None:
    for length in range(0, 300, 23):
        seed, message = os.urandom(32), os.urandom(length)
        other = Ed25519PrivateKey.from_private_bytes(seed)
        assert ed25519.sign(seed, message) == other.sign(message)
        assert ed25519.public(seed) == other.public_key().public_bytes_raw()


@pytest.mark.parametrize("length", [0, 1, 32, 64, 1000])
def test_an_hmac_is_what_the_standard_library_makes(length: int) -> None:
    key, message = os.urandom(32), os.urandom(length)
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")
