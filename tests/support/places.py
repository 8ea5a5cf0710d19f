"""Where something can be put: folders with a short path (of a socket: 107 bytes, unix(7)), free ports."""

import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PORTS = range(10_000, 32_768)  # below those that Linux gives to whoever asks for any: ip(7)
_turns = itertools.count(os.getpid() * 997)  # tests run in several processes; each begins elsewhere


@contextmanager
def short_folder(place: str = "/tmp") -> Iterator[Path]:
    """A new folder with a short path, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="w", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port of that address on which nobody listens just now; another one each time.

    Raises:
        OSError: nothing can listen at that address.
    """
    for _ in _PORTS:
        port = _PORTS[next(_turns) % len(_PORTS)]
        with suppress(OSError), socket.create_server((address, port)):
            return port
    raise OSError(f"no port of {address} is free")
