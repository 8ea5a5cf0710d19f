"""The disk of a machine: our own programs with their libraries, the system's Python, and Wand as it is."""

import gzip
import importlib.util
import lzma
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from support.tree import ROOT
from vm import cpio
from vm.kernels import CACHE, Absent, Kernel
from wand_hostagent.launcher import closure

PYTHON = "/usr/bin/python3"
HOME = "/wand"  # where Wand lies in the machine
PROGRAMS = (
    "awk", "base64", "basename", "bash", "cat", "chmod", "chown", "chroot", "cp", "cut", "date", "dd",
    "df", "dirname", "echo", "env", "expr", "find", "getent", "git", "grep", "head", "id", "kill", "ln", "ls",
    "mkdir", "mkfifo", "mknod", "mktemp", "mount", "mv", "nice", "nohup", "nsenter", "od", "printf",
    "prlimit", "ps", "pwd", "readlink", "realpath", "rm", "rmdir", "sed", "seq", "setpriv", "setsid",
    "sh", "sleep", "sort", "stat", "stty", "sync", "tail", "tee", "test", "timeout", "touch", "tr",
    "true", "umount", "uname", "uniq", "unshare", "wc", "xargs", "yes",
)  # fmt: skip
_TESTING = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments")
FIRST = "/usr/bin/python3 -I /wand/tests/vm/first.py"
_SIZE = "512M"
_LOADERS = ("/lib64/ld-linux-x86-64.so.2",)
_LINKS = ("bin", "sbin", "lib", "lib64")
_EMPTY = ("proc", "sys", "dev", "tmp", "run", "srv", "home", "mnt", "root", "var/tmp", "etc", "opt")
_USERS = {
    "passwd": "root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/:/bin/sh\n"
    "tester:x:1000:1000::/tmp:/bin/sh\n",
    "group": "root:x:0:\nnogroup:x:65534:\ntester:x:1000:\n",
    "hosts": "127.0.0.1 localhost\n",
}
_BEGIN = b"""#!/busybox sh
/busybox mount -t proc none /proc
/busybox mount -t devtmpfs none /dev
for module in /modules/*; do /busybox insmod "$module"; done
until [ -e /dev/vda ]; do /busybox sleep 0.02; done
/busybox mount -t ext4 /dev/vda /root
exec /busybox switch_root /root PROGRAM
"""


def disk() -> Path:
    """A file system with all that the checks need, made anew."""
    folder, image = CACHE / "root", CACHE / "disk.ext4"
    shutil.rmtree(folder, ignore_errors=True)
    for name in _EMPTY:
        (folder / name).mkdir(parents=True)
    for name in _LINKS:
        if (Path("/") / name).is_symlink():
            (folder / name).symlink_to((Path("/") / name).readlink())
    _programs(folder)
    _python(folder)
    _wand(folder)
    subprocess.run(["ldconfig", "-r", str(folder)], check=True)  # the names by which libraries are asked for
    for name, text in _USERS.items():
        (folder / "etc" / name).write_text(text)
    image.unlink(missing_ok=True)
    argv = ["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", str(folder), str(image), _SIZE]
    subprocess.run(argv, check=True)
    return image


def beginning(kernel: Kernel, busybox: Path, program: str = FIRST) -> Path:
    """What the kernel starts from: a shell that finds the disk, and becomes the first program of that."""
    begin = _BEGIN.replace(b"/busybox", b"/bin/busybox").replace(b"PROGRAM", program.encode())
    files = {"init": begin, "bin/busybox": busybox.read_bytes()}
    for place, module in enumerate(kernel.modules):
        content = module.read_bytes()
        files[f"modules/{place}.ko"] = lzma.decompress(content) if module.suffix == ".xz" else content
    files |= {"proc/.keep": b"", "dev/.keep": b"", "root/.keep": b""}
    path = CACHE / f"begin-{kernel.name}-{Path(program.partition(' ')[0]).name}.gz"
    path.write_bytes(gzip.compress(cpio.archive(files), 1))
    return path


# -- what is on the disk ---------------------------------------------------------------------------------


def _programs(folder: Path) -> None:
    found = [(name, shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")) for name in PROGRAMS]
    missing = [name for name, path in found if path is None]
    if missing:
        raise Absent(f"not on this machine: {', '.join(missing)}")
    for _, path in found:
        _copy(Path(str(path)), folder)
    _libraries([str(path) for _, path in found], folder)


def _python(folder: Path) -> None:
    """The system's Python with its library, whatever runs these tests: any user may run that one."""
    if not Path(PYTHON).exists():
        raise Absent(f"{PYTHON} is not there")
    ask = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    library = subprocess.run(
        [PYTHON, "-I", "-c", ask], check=True, capture_output=True, text=True
    ).stdout.strip()
    ignored = shutil.ignore_patterns("test", "idlelib", "lib2to3", "turtledemo", "ensurepip", "config-*")
    shutil.copytree(library, folder / library[1:], symlinks=True, ignore=ignored, dirs_exist_ok=True)
    _copy(Path(PYTHON), folder)
    _libraries([PYTHON, *map(str, Path(library).glob("lib-dynload/*.so"))], folder)


def _libraries(files: Iterable[str], folder: Path) -> None:
    needed = closure.of(files)
    for name in (*_LOADERS, *needed.executed, *needed.read):
        if Path(name).is_file() and not name.startswith(closure.DATA):
            _copy(Path(name), folder)


def _wand(folder: Path) -> None:
    home = folder / HOME[1:]
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in ("hostagent/wand_hostagent", "proto/wand_proto", "tests"):
        shutil.copytree(ROOT / name, home / name, ignore=ignored)
    for name in _TESTING:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            _package(Path(found.origin), home / "site" / name)
    subprocess.run([PYTHON, "-m", "compileall", "-q", str(home)], check=True)  # slow where it is emulated


def _package(origin: Path, target: Path) -> None:
    """A package, or a module that is one file."""
    if origin.name == "__init__.py":
        shutil.copytree(origin.parent, target)
    else:
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(origin, target.with_suffix(".py"))


def _copy(path: Path, folder: Path) -> None:
    """A file at its own place, and on the way to it the links by which it is known."""
    place = Path(os.path.realpath(path.parent)) / path.name
    target = folder / str(place)[1:]
    if target.exists() or target.is_symlink():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        target.symlink_to(place.readlink())
        _copy(place.parent / place.readlink(), folder)
    else:
        shutil.copy2(place, target)
