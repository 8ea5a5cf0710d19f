"""SHA-256 without the rest of hashlib, which brings OpenSSL with it: four megabytes for one function."""

import sys

if sys.version_info >= (3, 12):
    from _sha2 import sha256
else:
    from _sha256 import sha256  # type: ignore[import-not-found] # of CPython 3.11 alone

__all__ = ["hash_of", "sha256"]


def hash_of(content: bytes) -> str:
    """The hash of these bytes, as 64 digits."""
    digits: str = sha256(content).hexdigest()
    return digits
