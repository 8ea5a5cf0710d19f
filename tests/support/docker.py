"""A Docker for the `docker` command: a dockerd of our own, and an image in it under a name."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from support.dockerd import dockerd, why_not
from support.places import short_folder

IMAGE = "box:1"


def is_there() -> bool:
    """Whether one can be started here."""
    return not why_not() and shutil.which("docker") is not None


@contextlib.contextmanager
def running() -> Iterator[Path]:
    """Start it; its socket. What it has started ends with it."""
    with short_folder() as folder, dockerd(folder) as one:
        name, _, tag = IMAGE.partition(":")
        one.ask("POST", f"/images/{one.image}/tag?repo={name}&tag={tag}")
        yield one.socket
