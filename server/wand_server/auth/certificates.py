"""Signing in by a client certificate, verified by TLS: the settings say who it stands for."""

from __future__ import annotations  # or x509 would be loaded for them

import functools
import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography import x509

from wand_server import scopes
from wand_server.auth.asked import BadToken
from wand_server.auth.revoked import Revoked
from wand_server.model import Principal

_REMEMBERED, _HELD = 256, 4096
_FINGERPRINT_CHARACTERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whom a certificate stands for, and what it opens."""

    name: str
    scopes: frozenset[str] = scopes.EVERYDAY
    groups: tuple[str, ...] = ()
    on_behalf_of: str = ""


class Certificates:
    """Who holds which certificate, by a name in it: URI:…, DNS:…, email:…, or subject:… as a whole."""

    def __init__(self, holders: Mapping[str, Holder], revoked: Revoked | None = None) -> None:
        self._holders = dict(holders)
        self._revoked = revoked
        self._principal = functools.lru_cache(_REMEMBERED)(self._read)
        self._held: OrderedDict[str, bytes] = OrderedDict()  # by what principals call them, the newest last

    def check(self, certificate: bytes) -> None:
        """Go on where its authority has not taken it back; TLS has verified all else.

        Raises:
            BadToken: it has.
            Unavailable: nobody can say.
        """
        if self._revoked is not None:
            self._revoked.check(certificate)

    def principal(self, certificate: bytes) -> Principal:
        """Whom a certificate stands for; TLS has verified that the client holds it.

        Raises:
            BadToken: nobody, more than one, or it has expired since.
        """
        principal = self._principal(certificate)
        self._held[principal.credential] = certificate
        self._held.move_to_end(principal.credential)
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        if principal.expires is not None and principal.expires <= time.time():
            raise BadToken("the client certificate has expired")
        return principal

    def is_over(self, principal: Principal) -> bool:
        """Whether the certificate by which somebody is here was taken back.

        Raises:
            Unavailable: nobody can say.
        """
        if principal.means != "certificate" or self._revoked is None:
            return False
        certificate = self._held.get(principal.credential)
        try:
            if certificate is not None:
                self._revoked.check(certificate)
        except BadToken:
            return True
        return certificate is None

    def _read(self, certificate: bytes) -> Principal:
        try:
            read = x509.load_der_x509_certificate(certificate)
            names = list(names_in(read))
        except ValueError as why:
            raise BadToken("the client certificate cannot be read") from why
        holders = {self._holders[name] for name in names if name in self._holders}
        if len(holders) != 1:
            raise BadToken("the client certificate stands for nobody here")
        holder = holders.pop()
        return Principal(
            name=holder.name,
            means="certificate",
            scopes=holder.scopes,
            groups=holder.groups,
            on_behalf_of=holder.on_behalf_of,
            credential=hashlib.sha256(certificate).hexdigest()[:_FINGERPRINT_CHARACTERS],
            expires=read.not_valid_after_utc.timestamp(),
        )


def names_in(certificate: x509.Certificate) -> Iterator[str]:
    """What a certificate names: its alternative names, and its subject as RFC 4514 writes it."""
    kinds = {x509.UniformResourceIdentifier: "URI", x509.DNSName: "DNS", x509.RFC822Name: "email"}
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = x509.SubjectAlternativeName([])
    for name in found:
        if (kind := kinds.get(type(name))) is not None:
            yield f"{kind}:{name.value}"
    yield f"subject:{certificate.subject.rfc4514_string()}"
