"""A Docker of our own: dockerd with a folder and a socket of its own, no network, an image of busybox."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

IMAGE = "box:1"
_START_SECONDS = 60.0
_PROGRAMS = ("sh", "echo", "sleep", "cat", "env", "id")


def is_there() -> bool:
    """Whether one can be started here."""
    return os.geteuid() == 0 and all(map(shutil.which, ("dockerd", "docker", "busybox")))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Start it, with the image in it; its socket. What it has started ends with it."""
    socket = folder / "docker.sock"
    words = ["dockerd", "-H", f"unix://{socket}", "--bridge=none", "--iptables=false", "--ip6tables=false"]
    words += ["--storage-driver=vfs", "--group=root", f"--pidfile={folder / 'pid'}"]
    words += [f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        _wait(daemon, socket, folder / "log")
        _import_image(socket, folder)
        yield socket
    finally:
        asked(socket, "sh", "-c", "docker ps -aq | xargs -r docker rm -f", program="")
        daemon.terminate()
        daemon.wait(60)


def asked(socket: Path, *words: str, stdin: bytes = b"", program: str = "docker") -> str:
    """What docker prints."""
    argv = [program, *words] if program else list(words)
    environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}"}
    return subprocess.run(argv, input=stdin, env=environment, capture_output=True, check=True).stdout.decode()


def _wait(daemon: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and daemon.poll() is None:
        if socket.exists():
            with contextlib.suppress(subprocess.CalledProcessError):
                asked(socket, "ps")
                return
        time.sleep(0.1)
    raise AssertionError(f"dockerd does not start: {log.read_text()[-2000:]}")


def _import_image(socket: Path, folder: Path) -> None:
    binaries = folder / "root" / "bin"
    binaries.mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, binaries / "busybox")
    for name in _PROGRAMS:
        (binaries / name).symlink_to("busybox")
    packed = subprocess.run(["tar", "-C", folder / "root", "-c", "."], capture_output=True, check=True).stdout
    asked(socket, "import", "-", IMAGE, stdin=packed)
