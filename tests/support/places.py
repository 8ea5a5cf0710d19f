"""Where something can be put: folders with a short path (of a socket: 107 bytes, unix(7)), free ports."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_folder(place: str = "/tmp") -> Iterator[Path]:
    """A new folder with a short path, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="w", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port of that address on which nobody listens just now."""
    with socket.create_server((address, 0)) as found:
        return int(found.getsockname()[1])
