"""Ed25519 signatures (RFC 8032), for the few that the ledger needs: one takes milliseconds.

Written for being read, not for being fast, and not in constant time: a key signs once, and whoever could
measure that closely enough is root already.
"""

from wand_hostagent.launcher.digest import sha512

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T: x = X/Z, y = Y/Z, xy = T/Z
_BASE: _Point = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
    1,
    46827403850823179245072216630277197565144205554125654976674165829533817101731,
)


def public(seed: bytes) -> bytes:
    """The public key of a seed of 32 bytes."""
    return _packed(_times(_BASE, _scalar(sha512(seed).digest()[:32])))


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature of a message, 64 bytes."""
    hashed = sha512(seed).digest()
    secret = _scalar(hashed[:32])
    shown = _packed(_times(_BASE, secret))
    once = int.from_bytes(sha512(hashed[32:] + message).digest(), "little") % _ORDER
    point = _packed(_times(_BASE, once))
    asked = int.from_bytes(sha512(point + shown + message).digest(), "little") % _ORDER
    return point + ((once + asked * secret) % _ORDER).to_bytes(32, "little")


def _scalar(half: bytes) -> int:
    return int.from_bytes(half, "little") & ((1 << 254) - 8) | (1 << 254)


def _times(point: _Point, factor: int) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = _plus(total, point)
        point = _plus(point, point)
        factor >>= 1
    return total


def _plus(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _packed(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")
