"""TLS on our own listening socket: our certificate, renewed as its files are, and those of clients.

A renewal is read whole into a context of its own. Handshakes from then on are spoken by that one; connections
that are open go on as they began, and files that do not belong together change nothing.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from wand_proto.errors import Invalid

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 10.0
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2, as RFC 9325, 4.2 has it; those of 1.3 are all good


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where our certificate, its key and the authority of the clients' certificates are."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    client_required: bool = False


@contextlib.asynccontextmanager
async def context(files: Files) -> AsyncIterator[ssl.SSLContext]:
    """How TLS is spoken; while entered, a renewed certificate is taken up.

    Raises:
        Invalid: a file cannot be used.
    """
    newest = _Newest(files)
    renewing = asyncio.create_task(newest.renew(), name="certificate renewal")
    try:
        yield newest.first
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


def certificate_of(request: web.BaseRequest) -> tuple[bool, bytes | None]:
    """Whether a request came by TLS that ends here, and the certificate that its client holds."""
    transport = request.transport
    spoken = None if transport is None else transport.get_extra_info("ssl_object")
    return (False, None) if spoken is None else (True, spoken.getpeercert(binary_form=True))


class _Newest:
    """The context that a listener has for good, and the one by which the next handshake is spoken."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._seen = _stamp(files)
        self.first = self._now = read(files)
        self.first.sni_callback = self._choose

    async def renew(self) -> None:
        """For ever: take up files that have changed."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            if (stamp := _stamp(self._files)) != self._seen:
                self._seen = stamp
                self._read()

    def _read(self) -> None:
        try:
            self._now = read(self._files)
        except Invalid as why:
            log.warning("renewed certificate not usable", extra={"why": str(why)})
        else:
            log.info("certificate renewed", extra={"path": str(self._files.certificate)})

    def _choose(self, spoken: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        """Called in each handshake, whatever name the client says."""
        if self._now is not self.first:
            spoken.context = self._now


def read(files: Files) -> ssl.SSLContext:
    """How TLS is spoken with those files as they are now.

    Raises:
        Invalid: a file cannot be used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(_CIPHERS)
    made.set_alpn_protocols(["http/1.1"])
    _take(made, files)
    if files.client_ca is not None:
        try:
            made.load_verify_locations(cafile=files.client_ca)
        except OSError as why:
            raise Invalid(f"{files.client_ca} cannot be used ({why})", field="tls.client_ca") from why
        made.verify_mode = ssl.CERT_REQUIRED if files.client_required else ssl.CERT_OPTIONAL
    return made


def _take(made: ssl.SSLContext, files: Files) -> None:
    try:
        made.load_cert_chain(files.certificate, files.key)
    except OSError as why:
        message = f"{files.certificate} and {files.key} cannot be used together ({why})"
        raise Invalid(message, field="tls.certificate") from why


def _stamp(files: Files) -> tuple[tuple[int, int, int] | None, ...]:
    """What changes when one of the files does, or who may read it."""
    return tuple(
        _changed(path) for path in (files.certificate, files.key, files.client_ca) if path is not None
    )


def _changed(path: Path) -> tuple[int, int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_ctime_ns
