"""What is made of hashes without OpenSSL, beside SHA-256 itself (`sha256.py`)."""

import sys

from wand_hostagent.launcher.sha256 import sha256

if sys.version_info >= (3, 12):
    from _sha2 import sha512
else:
    from _sha512 import sha512  # type: ignore[import-not-found] # of CPython 3.11 alone

_INNER = bytes(value ^ 0x36 for value in range(256))
_OUTER = bytes(value ^ 0x5C for value in range(256))
_BLOCK_BYTES = 64

__all__ = ["hmac_sha256", "sha256", "sha512"]


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104) under a key of at most one block, as all of ours are."""
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(padded.translate(_INNER) + message).digest()
    digest: bytes = sha256(padded.translate(_OUTER) + inner).digest()
    return digest
