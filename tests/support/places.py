"""Folders for what must have a short path: the name of a unix socket has 107 bytes (unix(7))."""

import shutil
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
