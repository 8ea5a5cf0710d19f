"""The way to a mail server: a guarded connection, TLS, sign-in, and a thread in which Python's clients work.

No process is started, and no password leaves without TLS, but for a host of our own that was named for that.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from wand_proto.errors import Ambiguous, Invalid, Unavailable, WandError
from wand_server.integrations.kit.pace import Breaker, Bucket, Rate
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.streams import connected

Security = Literal["tls", "starttls", "none"]
Work = TypeVar("Work")
_SECONDS = 40.0  # for a connection, and all that is said over it
_SILENCE_SECONDS = 30.0
_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One mail server."""

    host: str
    port: int
    security: Security
    private_hosts: tuple[str, ...] = ()
    authority: str = ""  # certificates in PEM that are believed beside the system's

    def check(self, field: str) -> None:
        """Let it pass if what is said there stays secret.

        Raises:
            Invalid: it would not.
        """
        if self.security == "none" and self.host not in self.private_hosts:
            hint = "say tls or starttls; or name the host in private_hosts, if it is one of your own"
            raise Invalid("would send mail and password in clear", field=field, hint=hint)

    def context(self) -> ssl.SSLContext:
        """How its certificate is judged.

        Raises:
            Invalid: the authority cannot be read.
        """
        context = ssl.create_default_context()
        try:
            if self.authority:
                context.load_verify_locations(cadata=self.authority)
        except (ssl.SSLError, ValueError) as why:
            raise Invalid("must hold certificates in PEM", field="certificate_authority") from why
        return context


@dataclass(slots=True)
class Progress:
    """What is on its way; `is_sent` from when on nobody can say whether a change was made."""

    is_sent: bool = False


class Link:
    """Does work at a server, a few at once, each over a connection of its own."""

    def __init__(self, strike: Strike) -> None:
        self._strike = strike
        self._bucket = Bucket(Rate(5))
        self._breaker = Breaker()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def run(self, server: Server, work: Callable[[socket.socket, Progress], Work]) -> Work:
        """What the work gives back, which is done in a thread.

        Raises:
            Ambiguous: the connection broke when a change was on its way.
            WandError: the server refuses, or cannot be reached.
        """
        self._breaker.check()
        await self._bucket.take(_SECONDS)
        progress = Progress()
        try:
            async with self._turns, asyncio.timeout(_SECONDS):
                connection = await self._connected(server)
                result = await _in_thread(server, connection, work, progress)
        except TimeoutError as late:
            self._breaker.failed()
            if progress.is_sent:
                raise _ambiguous(server.host, "no answer in time") from late
            raise Unavailable(f"{server.host} cannot be reached: no answer in time") from late
        except WandError as error:
            error.message, error.hint = self._strike.out_of(error.message), self._strike.out_of(error.hint)
            raise
        self._breaker.answered()
        return result

    async def _connected(self, server: Server) -> socket.socket:
        try:
            return await connected(server.host, server.port, server.private_hosts)
        except Unavailable:
            self._breaker.failed()
            raise


async def _in_thread(
    server: Server,
    connection: socket.socket,
    work: Callable[[socket.socket, Progress], Work],
    progress: Progress,
) -> Work:
    handle = connection.dup()  # TLS takes the other one over
    connection.settimeout(_SILENCE_SECONDS)
    try:
        return await asyncio.to_thread(_done, server, connection, work, progress)
    except asyncio.CancelledError:
        _end(handle)  # which wakes the thread
        raise
    finally:
        handle.close()


def _done(
    server: Server,
    connection: socket.socket,
    work: Callable[[socket.socket, Progress], Work],
    progress: Progress,
) -> Work:
    try:
        if server.security == "tls":
            connection = server.context().wrap_socket(
                connection, server_hostname=server.host, do_handshake_on_connect=False
            )
            connection.do_handshake()
        return work(connection, progress)
    except ssl.SSLCertVerificationError as why:
        hint = "if an authority of your own has signed it, give its certificate in certificate_authority"
        raise Unavailable(f"the certificate of {server.host}: {why.verify_message}", hint=hint) from why
    except OSError as why:
        said = "no answer in time" if isinstance(why, TimeoutError) else str(why.strerror or why).lower()
        if progress.is_sent:
            raise _ambiguous(server.host, said) from why
        raise Unavailable(f"{server.host} does not go on: {said}") from why
    finally:
        connection.close()


def _end(handle: socket.socket) -> None:
    try:
        handle.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


def _ambiguous(host: str, why: str) -> Ambiguous:
    return Ambiguous(
        f"it may have been done at {host}, or not: {why}", hint="look whether it was, before you ask again"
    )
