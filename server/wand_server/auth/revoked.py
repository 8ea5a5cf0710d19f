"""Which client certificates their authorities have taken back, by lists of theirs (RFC 5280, 5).

The file of lists is read again when it or the authorities change. Where a list is missing, overdue or cannot
be read, nobody can say whether a certificate still counts, and so none does.
"""

from __future__ import annotations  # or x509 would be loaded for them

import functools
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from wand_proto import tomlfile
from wand_proto.errors import Invalid, Unavailable, WandError
from wand_server.auth.asked import BadToken

log = logging.getLogger(__name__)

_OWNERS = frozenset({0, os.geteuid()})
_LIST = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----\s*", re.DOTALL)
_REMEMBERED = 256
_FIELD = "tls.client_crl"
Stamp = tuple[tuple[int, int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class List:
    """What one authority has taken back, and until when that is the newest word."""

    revoked: x509.CertificateRevocationList
    since: datetime
    until: datetime


class Revoked:
    """The lists in a file, of the authorities in another."""

    def __init__(self, path: Path, authorities: Path) -> None:
        """Read them.

        Raises:
            WandError: a list cannot be used; one that is overdue can, and lets nobody in.
        """
        self._paths = path, authorities
        self._stamp = _stamp(self._paths)
        self._lists: Mapping[bytes, List] | None = read(path, authorities)
        for each in _certificates(authorities):
            if each.subject.public_bytes() not in self._lists:
                raise Invalid(f"{path} has no list of {each.subject.rfc4514_string()}", field=_FIELD)
        self._named = functools.lru_cache(_REMEMBERED)(_named)

    def check(self, certificate: bytes) -> None:
        """Go on where it has not been taken back.

        Raises:
            BadToken: it has.
            Unavailable: nobody can say.
        """
        self._look()
        issuer, serial = self._named(certificate)
        found = (self._lists or {}).get(issuer)
        if found is None or not found.since <= datetime.now(UTC) <= found.until:
            raise Unavailable("whether the client certificate was taken back cannot be told now")
        if found.revoked.get_revoked_certificate_by_serial_number(serial) is not None:
            raise BadToken("the client certificate was taken back by its authority")

    def _look(self) -> None:
        """Read the file again if it has changed; where that fails, there is no list."""
        if (stamp := _stamp(self._paths)) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._lists = read(*self._paths)
        except WandError as why:
            self._lists = None
            log.error("client certificates cannot be judged", extra={"why": str(why)})  # noqa: TRY400 - one line says it
        else:
            log.info("list of revoked certificates read", extra={"path": str(self._paths[0])})


def read(path: Path, authorities: Path) -> Mapping[bytes, List]:
    """The list of each authority, by its name in DER.

    Raises:
        NotFound, Denied: a file is not there, or somebody else could have written the lists.
        Invalid: one is no list, or not of these authorities, or says only a part.
    """
    texts = _LIST.findall(tomlfile.content(path, owners=_OWNERS))
    if not texts:
        raise Invalid(f"{path} has no list (-----BEGIN X509 CRL-----)", field=_FIELD)
    known = list(_certificates(authorities))
    try:
        lists = sorted(map(x509.load_pem_x509_crl, texts), key=lambda one: one.last_update_utc)  # newest last
        found = {one.issuer.public_bytes(): _usable(one, known, path) for one in lists}
    except (ValueError, UnsupportedAlgorithm) as why:
        raise Invalid(f"{path} has a list that cannot be read ({why})", field=_FIELD) from why
    return found


def overdue(path: Path, authorities: Path, now: datetime) -> list[str]:
    """The authorities that have no list, or one that is not the newest word any more, or not yet.

    Raises:
        WandError: as `read` does.
    """
    lists = read(path, authorities)
    names = {
        each.subject.public_bytes(): each.subject.rfc4514_string() for each in _certificates(authorities)
    }
    good = {name for name, each in lists.items() if each.since <= now <= each.until}
    return [said for name, said in names.items() if name not in good]


def _certificates(path: Path) -> Iterator[x509.Certificate]:
    try:
        yield from x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as why:
        raise Invalid(f"{path} cannot be used ({why})", field="tls.client_ca") from why


def _usable(one: x509.CertificateRevocationList, known: Sequence[x509.Certificate], path: Path) -> List:
    name = one.issuer.rfc4514_string()
    if not any(_has_signed(each, one) for each in known):
        raise Invalid(f"{path} has a list of {name}, signed by none of tls.client_ca", field=_FIELD)
    plain = (x509.AuthorityKeyIdentifier, x509.CRLNumber)  # extensions that leave a list whole
    if strange := [each.oid.dotted_string for each in one.extensions if not isinstance(each.value, plain)]:
        message = f"{path} has a list of {name} that says only a part (extension {', '.join(strange)})"
        raise Invalid(message, field=_FIELD)
    if one.next_update_utc is None:
        raise Invalid(f"{path} has a list of {name} without an end (nextUpdate)", field=_FIELD)
    return List(one, one.last_update_utc, one.next_update_utc)


def _has_signed(authority: x509.Certificate, one: x509.CertificateRevocationList) -> bool:
    if authority.subject != one.issuer:
        return False
    try:
        return one.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except TypeError:  # a key that signs nothing
        return False


def _named(certificate: bytes) -> tuple[bytes, int]:
    """The authority's name, and the number that it gave."""
    try:
        read = x509.load_der_x509_certificate(certificate)
        return read.issuer.public_bytes(), read.serial_number
    except ValueError as why:
        raise BadToken("the client certificate cannot be read") from why


def _stamp(paths: Sequence[Path]) -> Stamp:
    """What changes when one of the files does."""
    return tuple(map(_changed, paths))


def _changed(path: Path) -> tuple[int, int, int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
