"""TLS of a service that has an authority of its own, or to which one signs in with a certificate."""

import os
import ssl
from dataclasses import dataclass

from pydantic import BaseModel

from wand_proto.errors import Invalid
from wand_server.integrations.kit.signin import secret


@dataclass(frozen=True, slots=True)
class Trust:
    """Names settings that hold PEM: whom to trust instead of the public authorities, and who we are."""

    ca: str = "ca"
    certificate: str = "certificate"
    key: str = "key"

    def context(self, settings: BaseModel) -> ssl.SSLContext | None:
        """What connections use; None where nothing of it is set.

        Raises:
            Invalid: it cannot be read; names the setting.
        """
        ca, certificate, key = (secret(settings, name) for name in (self.ca, self.certificate, self.key))
        if not (ca or certificate or key):
            return None
        if bool(certificate) != bool(key):
            raise Invalid("needs the other as well", field=self.key if certificate else self.certificate)
        context = self._trusting(ca)
        if certificate:
            self._sign_in(context, f"{certificate}\n{key}\n")
        return context

    def verifying(self, settings: BaseModel) -> ssl.SSLContext:
        """The same, and where nothing is set the public authorities are those to trust."""
        return self.context(settings) or ssl.create_default_context()

    def _trusting(self, ca: str) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cadata=ca or None)
        except (ssl.SSLError, ValueError) as why:
            raise Invalid("is no certificate in PEM", field=self.ca) from why

    def _sign_in(self, context: ssl.SSLContext, pair: str) -> None:
        """OpenSSL takes both from a file alone: one in memory, that nobody else can open."""
        file = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(file, pair.encode())
            context.load_cert_chain(f"/proc/self/fd/{file}")
        except (ssl.SSLError, ValueError) as why:
            raise Invalid("is no certificate in PEM, or not of that key", field=self.certificate) from why
        finally:
            os.close(file)
