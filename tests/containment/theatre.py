"""A throwaway place to run attempts in: own mounts, processes, network and host name; the rest read-only.

The machine's own files are there to read, and none can be written: not a device, not a setting of the
kernel but in /proc. Everything that is written lies in memory and is gone with the last process.
"""

import ctypes
import fcntl
import os
import shutil
import socket
import stat
import struct
import sys
from pathlib import Path

from support.tree import ROOT

MS_BIND, MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1000, 0x4000, 1 << 18, 2, 4, 8
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _RDONLY = 442, -100, 0x8000, 1  # mount_setattr(2)
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41  # netdevice(7)
_PR_SET_DUMPABLE, _PR_CAP_AMBIENT, _CLEAR_ALL = 4, 47, 4
_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
_SPACES = ("/tmp", "/var/tmp", "/run", "/srv", "/home")
_NUMBER = "CORPUS_UID"  # processes of a user are counted on the whole machine, so each theatre has its own
USER, UID = "wand-corpus", int(os.environ.get(_NUMBER, "1500"))
_LIBC = ctypes.CDLL(None, use_errno=True)


def command(words: list[str]) -> list[str]:
    """The command line of the same program inside the theatre."""
    unshare = shutil.which("unshare")
    if unshare is None:
        sys.exit("corpus: unshare is needed (Debian: util-linux)")
    own = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    kinds = ["--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts", "--net"]
    program = [sys.executable, "-m", "containment", "--inside", *words]
    return [unshare, *own, *kinds, "--", *program]


def environment() -> dict[str, str]:
    """What of our own environment goes along."""
    kept = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "WAND_CORPUS")
    given = {name: os.environ[name] for name in kept if name in os.environ}
    return given | {_NUMBER: str(1500 + os.getpid() % 50_000)}


def prepare() -> None:
    """Make the theatre from inside its fresh namespaces, and go on as a child of its first process."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    _set_read_only("/", on=True)
    if os.geteuid() == 0:
        _set_read_only("/sys/fs/cgroup", on=False)
    devices = _devices() if os.geteuid() == 0 else _borrowed_devices()
    needed = {place: os.open(place, os.O_PATH) for place in _needed()}
    for space in _SPACES:
        mount("tmpfs", space, "tmpfs", MS_NOSUID if space != "/srv" else 0, "mode=1777,size=90%")
    for place, descriptor in needed.items():
        place.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{descriptor}", str(place), flags=MS_BIND | MS_REC)
        os.close(descriptor)
    mount(str(devices), "/dev", flags=MS_BIND | MS_REC)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    socket.sethostname("theatre")
    _loopback_up()
    if os.geteuid() == 0:
        _add_user()
    else:
        _LIBC.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    _become_child()


def _needed() -> list[Path]:
    """What we run from and read, where a space of our own would cover it: a checkout may lie anywhere."""
    places = (ROOT, ROOT.parent / "shared", Path(sys.base_prefix))
    found = [place.resolve() for place in places if place.exists()]
    return [place for place in found if any(place.is_relative_to(space) for space in _SPACES)]


def mount(source: str, target: str, kind: str = "none", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    words = [word.encode() for word in (source, target, kind, options)]
    if _LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]) != 0:
        raise OSError(ctypes.get_errno(), f"mount of {target}: {os.strerror(ctypes.get_errno())}")


def _set_read_only(path: str, *, on: bool) -> None:
    packed = struct.pack("=4Q", _RDONLY * on, _RDONLY * (not on), 0, 0)
    argv = (_AT_FDCWD, path.encode(), _AT_RECURSIVE, packed, ctypes.c_size_t(len(packed)))
    if _LIBC.syscall(ctypes.c_long(_MOUNT_SETATTR), *argv) != 0:
        raise OSError(ctypes.get_errno(), f"mount_setattr of {path}: {os.strerror(ctypes.get_errno())}")


def _devices() -> Path:
    """A /dev of our own nodes, one of them more than a job should see."""
    folder = _device_folder()
    for name, (major, minor) in {**_DEVICES, "wand-disk": (1, 5)}.items():
        os.mknod(folder / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (folder / name).chmod(0o666)
    return folder


def _borrowed_devices() -> Path:
    folder = _device_folder()
    for name in _DEVICES:
        (folder / name).touch()
        mount(f"/dev/{name}", str(folder / name), flags=MS_BIND)
    return folder


def _device_folder() -> Path:
    """A folder with what every /dev has beside its nodes; it lies where a mount will cover it."""
    folder = Path("/mnt")
    mount("tmpfs", str(folder), "tmpfs", MS_NOSUID, "mode=755")
    for name, target in {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        (folder / name).symlink_to(f"/proc/self/{target}")
    (folder / "ptmx").symlink_to("pts/ptmx")
    (folder / "pts").mkdir()
    mount("devpts", str(folder / "pts"), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=666,mode=620")
    (folder / "shm").mkdir()
    mount("tmpfs", str(folder / "shm"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=90%")
    return folder


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP_RUNNING))


def _add_user() -> None:
    """A user for jobs, known here and nowhere else."""
    home = Path("/home") / USER
    home.mkdir()
    os.chown(home, UID, UID)
    lines = {"passwd": f"{USER}:x:{UID}:{UID}::{home}:/bin/bash\n", "group": f"{USER}:x:{UID}:\n"}
    for name, line in lines.items():
        ours = Path("/srv") / name
        ours.write_text(Path("/etc", name).read_text() + line)
        ours.chmod(0o644)
        mount(str(ours), f"/etc/{name}", flags=MS_BIND)
        _set_read_only(f"/etc/{name}", on=True)


def _become_child() -> None:
    """Go on in a child; the first process stays to collect what loses its parent."""
    child = os.fork()
    if child == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(max(os.waitstatus_to_exitcode(status), 0) if os.WIFEXITED(status) else 1)
