"""From when until when a certificate is good, read without a library for it."""

from datetime import UTC, datetime


def dates(der: bytes) -> tuple[datetime, datetime]:
    """The dates of an X.509 v3 certificate, by where they lie: RFC 5280, section 4.1.

    Raises:
        ValueError, IndexError: it is none.
    """
    signed = _parts(_parts(_parts(der)[0])[0])  # Certificate, TBSCertificate
    since, until = map(_time, _parts(signed[4]))  # version, serial number, algorithm, issuer, validity
    return since, until


def _parts(der: bytes) -> list[bytes]:
    """The contents of the DER values that stand in a row."""
    parts = []
    while der:
        start = 2 + (der[1] & 0x7F if der[1] & 0x80 else 0)
        end = start + (int.from_bytes(der[2:start], "big") if der[1] & 0x80 else der[1])
        parts.append(der[start:end])
        der = der[end:]
    return parts


def _time(text: bytes) -> datetime:
    form = "%y%m%d%H%M%SZ" if len(text) == len("yymmddhhmmssZ") else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC)
