"""The links to one host: opened when they are needed, used again, never to a host whose key is another."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh

from wand_hostagent.backends.ssh.hosts import SshHost, SshSettings
from wand_proto.errors import Ambiguous, Denied, Unavailable, WandError

log = logging.getLogger(__name__)
logging.getLogger("asyncssh").setLevel(logging.WARNING)  # it tells of every channel

MISSED = 3  # answers to keepalives, until a link is lost
Process = Any  # asyncssh.SSHClientProcess[bytes]


class Link:
    """One host."""

    def __init__(
        self, name: str, host: SshHost, settings: SshSettings, folder: Path, jump: "Link | None"
    ) -> None:
        self.name = name
        self._host = host
        self._settings = settings
        self._folder = folder
        self._jump = jump
        self._open: list[asyncssh.SSHClientConnection] = []
        self._used: dict[int, int] = {}  # sessions, by the identity of the connection
        self._connecting = asyncio.Lock()

    async def begin(self, command: str, **terminal: Any) -> Process:
        """A command that has been asked for on the host.

        Raises:
            Unavailable: no link can be made; nothing was asked for.
            Denied: the host's key is not the known one, or it does not let us in.
            Ambiguous: the link broke while it was asked for.
        """
        words = command.encode("utf-8", "surrogateescape")  # a folder's name need not be UTF-8
        connection = await self._connection()
        key = id(connection)
        self._used[key] = self._used.get(key, 0) + 1
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                process = await connection.create_process(words, encoding=None, **terminal)
        except asyncssh.ChannelOpenError as error:
            self._free(connection)
            raise Unavailable(f"{self.name} opens no session: {error.reason}") from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            self._forget(connection)
            raise Ambiguous(
                f"the link to {self.name} broke while a command was asked for: {error}"
            ) from error
        except asyncio.CancelledError:
            self._free(connection)
            raise
        process.channel.set_extra_info(wand_connection=connection)
        return process

    def done(self, process: Process) -> None:
        """The session is over: another one may take its place on the link."""
        self._free(process.channel.get_extra_info("wand_connection"))

    async def check(self) -> str:
        """What answers there; raises as `begin`."""
        connection = await self._connection()
        return str(connection.get_extra_info("server_version", b""))

    async def close(self) -> None:
        """Close all that is open."""
        for connection in self._open:
            connection.close()
        for connection in self._open:
            with_timeout = asyncio.wait_for(connection.wait_closed(), 2.0)
            await asyncio.gather(with_timeout, return_exceptions=True)
        self._open.clear()

    # -- connections ----------------------------------------------------------------------------------------

    async def _connection(self) -> asyncssh.SSHClientConnection:
        if found := self._with_room():
            return found
        async with self._connecting:  # a second caller takes what the first one has opened
            return self._with_room() or await self._connect()

    def _with_room(self) -> asyncssh.SSHClientConnection | None:
        for connection in list(self._open):
            if connection.is_closed():
                self._forget(connection)
            elif self._used.get(id(connection), 0) < self._host.sessions:
                return connection
        return None

    def _forget(self, connection: asyncssh.SSHClientConnection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._used.pop(id(connection), None)
            connection.close()

    def _free(self, connection: asyncssh.SSHClientConnection) -> None:
        """A session less on it, unless it is forgotten already: another session may have found it broken."""
        if id(connection) in self._used:
            self._used[id(connection)] -= 1

    async def _connect(self) -> asyncssh.SSHClientConnection:
        try:
            tunnel = await self._jump._connection() if self._jump else None  # noqa: SLF001 - of another of us
            async with asyncio.timeout(self._settings.connect_seconds):
                async with self._keys() as keys:
                    connection = await asyncssh.connect(tunnel=tunnel or (), **self._options(), **keys)
        except WandError:
            raise
        except Exception as error:
            raise self._told(error) from error
        self._open.append(connection)
        log.info("link open", extra={"host": self.name})
        return connection

    @asynccontextmanager
    async def _keys(self) -> AsyncIterator[dict[str, Any]]:
        """What we prove ourselves by. The keys of an agent are named where it alone has some: else asyncssh
        would offer those in ~/.ssh too.
        """
        host, folder = self._host, self._folder
        files = [str(folder / key) for key in host.keys]
        if files or host.agent is None:
            agent = str(folder / host.agent) if host.agent else None
            certificates = [str(folder / one) for one in host.certificates]
            yield {"client_keys": files, "client_certs": certificates, "agent_path": agent}
            return
        async with asyncssh.connect_agent(str(folder / host.agent)) as agent_client:
            found = await agent_client.get_keys()
            if not found:
                raise Denied(f"the agent {folder / host.agent} has no keys", hint="add one with ssh-add")
            yield {"client_keys": list(found), "agent_path": None}

    def _options(self) -> dict[str, Any]:
        host = self._host
        return {
            "host": host.address,
            "port": host.port,
            "username": host.user,
            "config": None,
            "known_hosts": str(self._folder / self._settings.known_hosts),
            "preferred_auth": "publickey",
            "gss_host": None,
            "x509_trusted_certs": None,
            "keepalive_interval": self._settings.keepalive_seconds,
            "keepalive_count_max": MISSED,
            "login_timeout": self._settings.connect_seconds,
            "compression_algs": None,
        }

    def _told(self, error: Exception) -> WandError:
        """What a caller is told where no link can be made."""
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            known = self._folder / self._settings.known_hosts
            hint = f"if it has changed for a good reason, an administrator writes the new one into {known}"
            message = f"the key of {self.name} is not the one that is known: {error.reason}"
            return Denied(message, hint=hint, field="backend")
        if isinstance(error, asyncssh.PermissionDenied):
            hint = "its authorized_keys, or its authority for certificates, must know one of our keys"
            return Denied(f"{self.name} does not let {self._host.user} in", hint=hint, field="backend")
        if isinstance(error, asyncssh.KeyImportError):
            hint = "it must have no passphrase"
            return Denied(f"a key for {self.name} cannot be read: {error}", hint=hint, field="backend")
        why = str(error) or f"no answer within {self._settings.connect_seconds:g} s"
        return Unavailable(f"{self.name} cannot be reached: {why}", hint="nothing was started")
