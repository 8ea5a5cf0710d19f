"""A real dockerd in namespaces of its own, with one image made of a local root file system."""

import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.processes import descendants, name_of

DOCKERD = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
BUSYBOX = Path("/bin/busybox")
READY_SECONDS = 60.0
# It is started again when it dies, unless `hold` is there: then when that is gone.
KEEPS_IT = """
mount --make-rprivate / && ip link set lo up
while [ ! -e "$1/stop" ]; do
    while [ -e "$1/hold" ]; do sleep 0.05; done
    rm -f "$1/pid"
    dockerd --host "unix://$1/docker.sock" --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" \\
        --bridge none --iptables=false --ip-forward=false --ip-masq=false --userland-proxy=false \\
        --storage-driver vfs
done
"""


def why_not() -> str:
    """Why none can run here; empty where one can."""
    if os.geteuid() != 0:
        return "dockerd needs root"
    if DOCKERD is None or shutil.which("unshare") is None:
        return "there is no dockerd: apt-get install docker.io"
    if not BUSYBOX.exists() or b"/lib64/ld-linux" in BUSYBOX.read_bytes()[:4096]:  # elf(5): PT_INTERP
        return "there is no static busybox: apt-get install busybox-static"
    return ""


@dataclass
class Dockerd:
    """One that runs, its socket, and the digest of its image."""

    folder: Path
    keeper: subprocess.Popen[bytes]
    image: str = ""

    @property
    def socket(self) -> Path:
        return self.folder / "docker.sock"

    def kill(self, *, hold: bool = False) -> None:
        """Kill it in mid-sentence; it comes back, unless it is held until `release`."""
        if hold:
            (self.folder / "hold").touch()
        for pid in descendants(self.keeper.pid):
            if name_of(pid) == "dockerd":
                os.kill(pid, signal.SIGKILL)

    def release(self) -> None:
        """Let it come back, and wait until it answers."""
        (self.folder / "hold").unlink(missing_ok=True)
        self.wait()

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/_ping") == b"OK":
                    return
            time.sleep(0.05)  # a look at a socket, not a wait for time to pass
        raise AssertionError("dockerd does not answer: " + (self.folder / "log").read_text()[-2000:])

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """What it answers."""
        with_type = {"Content-Type": "application/x-tar" if body else "application/json"}
        with closing(http.client.HTTPConnection("docker", timeout=90)) as connection:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self.socket))
            connection.request(method, path, body, with_type)
            return connection.getresponse().read()

    def containers(self) -> list[dict[str, object]]:
        """All that there are, running or not."""
        found = json.loads(self.ask("GET", "/containers/json?all=1"))
        assert isinstance(found, list)
        return found


@contextmanager
def dockerd(folder: Path) -> Iterator[Dockerd]:
    """One that runs until this is left, and then nothing of it does."""
    argv = [
        "unshare",
        "-m",
        "-n",
        "-p",
        "-f",
        "--kill-child",
        "--mount-proc",
        "/bin/sh",
        "-c",
        KEEPS_IT,
        "sh",
    ]
    with (folder / "log").open("ab") as log:
        keeper = subprocess.Popen([*argv, str(folder)], stdout=log, stderr=log, start_new_session=True)
    one = Dockerd(folder, keeper)
    try:
        one.wait()
        answer = one.ask("POST", "/images/create?fromSrc=-&repo=small", _root())
        one.image = json.loads(answer.splitlines()[-1])["status"]
        yield one
    finally:
        (folder / "stop").touch()
        keeper.kill()
        keeper.wait(30)


def _root() -> bytes:
    """A root file system as a tar: busybox under all its names, and folders."""
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("bin", "etc", "proc", "sys", "dev", "tmp"):
            about = tarfile.TarInfo(folder)
            about.type, about.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(about)
        tar.add(BUSYBOX.resolve(), "bin/busybox")
        for name in set(names) - {"busybox"}:
            about = tarfile.TarInfo(f"bin/{name}")
            about.type, about.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(about)
    return out.getvalue()
