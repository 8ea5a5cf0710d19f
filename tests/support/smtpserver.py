"""A mail server (aiosmtpd) that delivers into Maildirs; run by the Python of .dev/services, not imported.

    smtpserver.py HOME CERTIFICATE KEY PORT_TLS PORT_STARTTLS PORT_TOKENS

It takes mail for HOME/mail/NAME/Maildir alone, and the sign-in ann/PASSWORD or a token (XOAUTH2). What comes
for lost@ is taken, and the connection ended before that is said. At the last port it tells, by HTTP, whose a
token is, as an identity provider would.
"""

import asyncio
import base64
import itertools
import os
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword  # type: ignore[import-not-found]

PASSWORD, TOKEN = "pass word of ann ü", "token-of-ann"
MOST_BYTES = 2 * 1024 * 1024
NOBODY = 65534


class Deliver:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.numbers = itertools.count(1)

    async def auth_XOAUTH2(self, server: Any, args: Any) -> Any:  # noqa: N802 - aiosmtpd's own names
        given = (
            args[1] if len(args) > 1 else base64.b64encode(await server.challenge_auth(b"") or b"").decode()
        )
        said = base64.b64decode(given).decode()
        if said == f"user=ann@mail.example\1auth=Bearer {TOKEN}\1\1":
            return AuthResult(success=True)
        await server.challenge_auth('{"status":"401"}')
        return AuthResult(success=False, handled=False)

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if not session.authenticated and not server.transport.get_extra_info("sslcontext"):
            return "530 5.7.0 sign in first"
        if not self.box(address).is_dir() and not address.startswith("lost@"):
            return f"550 5.1.1 no such person: {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if any(one.startswith("lost@") for one in envelope.rcpt_tos):
            server.transport.abort()
        for address in envelope.rcpt_tos:
            if self.box(address).is_dir():
                file = self.box(address) / f"{next(self.numbers)}.{os.getpid()}.test"
                file.write_bytes(envelope.content)
                if os.geteuid() == 0:
                    os.chown(file, NOBODY, NOBODY)
        return "250 OK"

    def box(self, address: str) -> Path:
        return self.home / "mail" / address.partition("@")[0] / "Maildir" / "new"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> Any:
    fits = isinstance(given, LoginPassword) and given == LoginPassword(b"ann", PASSWORD.encode())
    return AuthResult(success=fits, handled=False)


async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = (await reader.readuntil(b"\r\n\r\n")).decode()
    fits = f"access_token={TOKEN} " in asked
    status, body = (
        ("200 OK", '{"user": "ann@mail.example", "expires_in": 600}') if fits else ("401 Unauthorized", "{}")
    )
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


async def main(home: Path, certificate: str, key: str, *ports: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    deliver = Deliver(home)
    common = {
        "data_size_limit": MOST_BYTES, "authenticator": authenticate, "auth_required": True,
        "enable_SMTPUTF8": True, "hostname": "mail.example",
    }  # fmt: skip

    def over_tls() -> SMTP:
        return SMTP(deliver, auth_require_tls=False, **common)

    def in_clear_first() -> SMTP:
        return SMTP(deliver, tls_context=context, require_starttls=True, **common)

    loop = asyncio.get_running_loop()
    await loop.create_server(over_tls, "127.0.0.1", ports[0], ssl=context)
    await loop.create_server(in_clear_first, "127.0.0.1", ports[1])
    await asyncio.start_server(tell, "127.0.0.1", ports[2])
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:])))
