"""Connections for protocols that are not HTTP: where a name leads is judged at the moment of connecting."""

import asyncio
import os
import socket
from collections.abc import Collection

from wand_proto.errors import Unavailable
from wand_server.outward import NotPublic, PublicResolver

_CONNECT_SECONDS = 10.0


async def connected(host: str, port: int, private_hosts: Collection[str]) -> socket.socket:
    """A connection to that host, which may lead into our own networks only if it is named in `private_hosts`.

    Raises:
        Unavailable: it cannot be made; the message says why.
    """
    resolver = PublicResolver(hosts=private_hosts)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            found = await resolver.resolve(host, port, socket.AF_UNSPEC)
            return await _first_of([(one["family"], (one["host"], port)) for one in found])
    except NotPublic as why:
        hint = f"name it in private_hosts if that is meant: {host}"
        raise Unavailable(f"{host} cannot be reached: {why}", hint=hint) from why
    except TimeoutError as why:
        raise Unavailable(f"{host} cannot be reached: no answer in time") from why
    except OSError as why:
        said = os.strerror(why.errno).lower() if why.errno else str(why)
        raise Unavailable(f"{host}:{port} cannot be reached: {said}") from why
    finally:
        await resolver.close()


async def _first_of(addresses: Collection[tuple[int, tuple[str, int]]]) -> socket.socket:
    """A connection to the first of those that answers; all were judged, and nothing is looked up again."""
    trouble: OSError = OSError("no address")
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, address)
        except OSError as why:
            trouble = why
            connection.close()
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise trouble
