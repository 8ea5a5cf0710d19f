"""TLS on our own listening socket: our certificate, renewed as its files are, and those of clients."""

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
_LOOK_AGAIN_SECONDS = 30.0


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
    made = _context(files)
    renewing = asyncio.create_task(_renew(made, files), name="certificate renewal")
    try:
        yield made
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


def certificate_of(request: web.BaseRequest) -> tuple[bool, bytes | None]:
    """Whether a request came by TLS that ends here, and the certificate that its client holds."""
    transport = request.transport
    spoken = None if transport is None else transport.get_extra_info("ssl_object")
    return (False, None) if spoken is None else (True, spoken.getpeercert(binary_form=True))


def _context(files: Files) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
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


async def _renew(made: ssl.SSLContext, files: Files) -> None:
    seen = _stamp(files)
    while True:
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        if (now := _stamp(files)) == seen:
            continue
        try:
            _take(made, files)
        except Invalid as why:
            log.warning("renewed certificate not usable", extra={"why": str(why)})
        else:
            log.info("certificate renewed", extra={"path": str(files.certificate)})
            seen = now


def _stamp(files: Files) -> tuple[int, ...]:
    try:
        return files.certificate.stat().st_mtime_ns, files.key.stat().st_mtime_ns
    except OSError:
        return ()
