"""Guests: systemd as the first process of a container, over a file system that is gone afterwards.

The kernel is this machine's, and so are the control groups: what needs a pure cgroup v2 is for `./dev vm`.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from guest.rootfs import Absent

NEEDED = ("systemd-nspawn", "nsenter", "ip", "mount", "unshare")
_BOOT_SECONDS, _STOP_SECONDS, _COMMAND_SECONDS = 60.0, 30.0, 180.0
_POWER_OFF = signal.SIGRTMIN + 4  # systemd(1)
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


class Wrong(Exception):
    """Something in a guest was not as it must be; the text says what was seen."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command in a guest came to."""

    status: int
    out: str

    @property
    def line(self) -> str:
        """The last line that it printed."""
        return (self.out.strip().splitlines() or [""])[-1]


@dataclass(slots=True)
class Guest:
    """A guest that runs."""

    name: str
    root: Path
    leader: int = 0
    console: Path = field(default_factory=Path)

    def enter(self, *namespaces: str) -> list[str]:
        """The beginning of a command line that runs the rest in the guest; without names, in all of it."""
        words = namespaces or ("-m", "-u", "-i", "-n", "-p", "-C")
        return ["nsenter", "-t", str(self.leader), *words, "--"]

    def run(self, *argv: str, put: str = "", seconds: float = _COMMAND_SECONDS) -> Ran:
        """Run a command as root, however it ends; `put` is its standard input."""
        given = [f"{name}={value}" for name, value in _ENVIRONMENT.items()]
        done = subprocess.run(
            [*self.enter(), "env", "-i", *given, *argv],
            input=put, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=seconds, errors="replace",
        )  # fmt: skip
        return Ran(done.returncode, done.stdout)

    def do(self, *argv: str, put: str = "", seconds: float = _COMMAND_SECONDS) -> str:
        """What a command prints that must end well.

        Raises:
            Wrong: it did not.
        """
        ran = self.run(*argv, put=put, seconds=seconds)
        if ran.status != 0:
            raise Wrong(f"{' '.join(argv)[:200]}: ended with {ran.status}: {ran.out[-1500:]}")
        return ran.out.strip()

    def sh(self, text: str) -> str:
        return self.do("sh", "-ec", text)

    def property(self, unit: str, name: str) -> str:
        """What systemd says of a unit."""
        return self.do("systemctl", "show", "--value", "-p", name, unit)

    def pid(self, unit: str) -> int:
        """The main process of a unit, by its number in the guest; 0 where it has none."""
        return int(self.property(unit, "MainPID"))

    def await_true(self, text: str, *, seconds: float = 30.0, what: str = "") -> float:
        """Wait until a shell command ends well; how long it took.

        Raises:
            Wrong: it never did.
        """
        began = time.monotonic()
        while (ran := self.run("sh", "-c", text)).status != 0:
            if time.monotonic() - began > seconds:
                raise Wrong(f"{what or text}: not within {seconds:.0f} s: {ran.out[-500:]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def outer_pid(self, inner: int) -> int:
        """The number here of a process of the guest."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                numbers = _namespaced(status.read_text())
                if len(numbers) == 2 and numbers[1] == inner and _is_below(numbers[0], self.leader):
                    return numbers[0]
        raise Wrong(f"no process {inner} in {self.name}")


def _namespaced(status: str) -> list[int]:
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "NSpid:")
    return [int(word) for word in line.split()[1:]]


def _is_below(pid: int, leader: int) -> bool:
    return Path(f"/proc/{pid}/ns/pid").readlink() == Path(f"/proc/{leader}/ns/pid").readlink()


@contextlib.contextmanager
def booted(
    base: Path, name: str, work: Path, *, share: Path, namespace: str = "",
    prepare: Callable[[Path], None] = lambda _: None,
) -> Iterator[Guest]:  # fmt: skip
    """A guest over that file system, up and at rest; `share` is a folder that it sees at /srv/packages,
    `namespace` its network (none: one of its own), and `prepare` is given its files before it boots.

    Raises:
        Absent: guests cannot be had here.
        Wrong: it does not come up.
    """
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        raise Absent(f"needs {', '.join(missing) or 'root'} (Debian: systemd-container, iproute2)")
    with layered(base, work / name) as root:
        guest = Guest(name, root, console=work / f"{name}.console")
        (root / "etc" / "hostname").write_text(f"{name}\n")
        prepare(root)
        with running(guest, namespace, share):
            _await_up(guest)
            yield guest


@contextlib.contextmanager
def layered(base: Path, place: Path) -> Iterator[Path]:
    """The file system with an empty layer over it, in memory: dpkg's many fsyncs cost nothing there."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3G,mode=755", "wand-guest", place], check=True)
    try:
        for name in ("upper", "work", "root"):
            (place / name).mkdir()
        options = f"lowerdir={base},upperdir={place / 'upper'},workdir={place / 'work'}"
        root = place / "root"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
        try:
            yield root
        finally:
            subprocess.run(["umount", "-l", root], check=True)
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextlib.contextmanager
def running(guest: Guest, namespace: str, share: Path) -> Iterator[None]:
    network = f"--network-namespace-path=/run/netns/{namespace}" if namespace else "--private-network"
    argv = [
        *("systemd-nspawn", "-q", "-b", "-D", str(guest.root), "-M", guest.name, "--register=no"),
        *(
            "--keep-unit",
            "--console=pipe",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            network,
        ),
        "--capability=CAP_NET_ADMIN",  # which it has by itself only in a network that it made
        f"--bind-ro={share}:/srv/packages",
        "--system-call-filter=@known",  # jobs make walls of their own, by calls that containers seldom need
    ]
    with guest.console.open("w") as console:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    try:
        guest.leader = _leader(process, guest)
        yield
        with contextlib.suppress(ProcessLookupError):
            os.kill(guest.leader, _POWER_OFF)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _leader(process: "subprocess.Popen[bytes]", guest: Guest) -> int:
    until = time.monotonic() + _BOOT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                if _namespaced(Path(f"/proc/{child}/status").read_text())[1:] == [1]:
                    return int(child)
        time.sleep(0.02)
    raise Wrong(f"{guest.name} did not start: {guest.console.read_text()[-500:]}")


def _await_up(guest: Guest) -> None:
    until = time.monotonic() + _BOOT_SECONDS
    while (state := guest.run("systemctl", "is-system-running").line) not in {"running", "degraded"}:
        if time.monotonic() > until:
            said = guest.console.read_text()[-800:]
            raise Wrong(f"{guest.name} is {state!r} after {_BOOT_SECONDS:.0f} s: {said}")
        time.sleep(0.1)
