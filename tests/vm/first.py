"""The first process of the machine: mounts what belongs to one, runs the checks, and turns it off.

The standard library alone, and no help: it is started before anything else is there.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
from pathlib import Path

HOME = "/wand"
RESULTS = "/dev/ttyS1"
_LIBC = ctypes.CDLL(None, use_errno=True)
_RESTART = 0x01234567  # reboot(2); the machine is told not to start again
_MOUNTS = (
    ("proc", "/proc", "proc", ""), ("sysfs", "/sys", "sysfs", ""), ("devtmpfs", "/dev", "devtmpfs", ""),
    ("devpts", "/dev/pts", "devpts", "ptmxmode=0666,mode=0620"), ("tmpfs", "/dev/shm", "tmpfs", "mode=1777"),
    ("tmpfs", "/run", "tmpfs", "mode=0755"), ("cgroup2", "/sys/fs/cgroup", "cgroup2", ""),
)  # fmt: skip
_SIOCSIFFLAGS, _UP_RUNNING = 0x8914, 0x41  # netdevice(7)


def mount(source: str, target: str, kind: str, options: str) -> None:
    Path(target).mkdir(parents=True, exist_ok=True)
    _LIBC.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode())


def prepare() -> None:
    """What an init of a distribution does, as far as a launcher needs it."""
    _LIBC.mount(b"none", b"/", None, 32, None)  # MS_REMOUNT: writable
    for one in _MOUNTS:
        mount(*one)
    for name in ("tmp", "srv", "home", "var/tmp"):
        Path("/", name).chmod(0o1777)
    Path("/sys/fs/cgroup/cgroup.subtree_control").write_text("+memory +pids +cpu +io")
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        if not Path("/dev", name).exists():
            Path("/dev", name).symlink_to(f"/proc/self/{target}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _UP_RUNNING))


def main() -> None:
    prepare()
    packages = ":".join(f"{HOME}/{name}" for name in ("hostagent", "proto", "tests", "site"))
    environment = {"PATH": "/usr/bin:/usr/sbin", "LANG": "C.UTF-8", "PYTHONPATH": packages, "HOME": "/root"}
    with open(RESULTS, "w") as results:  # noqa: PTH123 - a device
        program = ["/usr/bin/python3", "-m", "vm.inside"]
        subprocess.run(
            program, cwd=HOME, env=environment, stdout=results, stdin=subprocess.DEVNULL, check=False
        )


if __name__ == "__main__":
    try:
        main()
    finally:
        os.sync()
        _LIBC.reboot(_RESTART)
