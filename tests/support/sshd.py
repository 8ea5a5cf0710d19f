"""Real sshds, each on a loopback address of its own, and keys for them."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.places import free_port
from support.processes import descendants, name_of

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
READY_SECONDS = 60.0
USER = getpass.getuser()


@dataclass
class Sshd:
    """One that runs, and ends with all that it started."""

    folder: Path
    address: str
    port: int
    process: subprocess.Popen[bytes] | None = None
    options: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Run, and wait until it listens."""
        assert SSHD is not None
        config = self.folder / "sshd_config"
        config.write_text("\n".join([*self._config(), *self.options]) + "\n")
        argv = [SSHD, "-D", "-e", "-f", str(config)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((self.address, self.port)) == 0:
                    return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)  # a look at a socket, not a wait for time to pass
        raise AssertionError("sshd does not listen")

    def _config(self) -> list[str]:
        return [
            f"ListenAddress {self.address}",
            f"Port {self.port}",
            f"HostKey {self.folder / 'host'}",
            f"AuthorizedKeysFile {self.folder.parent / 'authorized'}",
            f"PidFile {self.folder / 'pid'}",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
            "AllowTcpForwarding yes",
            "LogLevel ERROR",
        ]

    @property
    def host_key(self) -> str:
        return (self.folder / "host.pub").read_text().rsplit(" ", 1)[0]

    def kill(self) -> None:
        """Kill it and its connections, as if the host had died; what they have started runs on."""
        assert self.process is not None
        self._send(signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def stop(self) -> None:
        """Let it and its connections hang."""
        self._send(signal.SIGSTOP)

    def _send(self, signum: int) -> None:
        assert self.process is not None
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            if name_of(pid).startswith("sshd"):
                os.kill(pid, signum)


def keygen(path: Path, *words: str) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path), *words]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def known(*hosts: Sshd) -> str:
    """What a file of known hosts says of them."""
    return "".join(f"[{one.address}]:{one.port} {one.host_key}\n" for one in hosts)


@contextmanager
def sshds(
    folder: Path, addresses: tuple[str, ...] = ("127.0.0.2",), **options: list[str]
) -> Iterator[list[Sshd]]:
    """So many that run, and a key `folder/key` that lets in; `folder/known` knows them."""
    Path("/run/sshd").mkdir(exist_ok=True)
    keygen(folder / "key")
    shutil.copy(folder / "key.pub", folder / "authorized")
    started = []
    try:
        for number, address in enumerate(addresses):
            home = folder / f"sshd{number}"
            home.mkdir()
            keygen(home / "host")
            one = Sshd(home, address, free_port(address), options=options.get(f"options{number}", []))
            one.start()
            started.append(one)
        (folder / "known").write_text(known(*started))
        yield started
    finally:
        for one in started:
            if one.process is not None:
                one.kill()
