"""The kernels that are tried, and a shell: packages of the distribution, fetched and unpacked once."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.tree import ROOT

CACHE = ROOT / ".dev" / "vm"
META = {
    "6.1": "linux-image-cloud-amd64",
    "6.12": "linux-image-6.12-cloud-amd64",
}  # what depends on the newest
BUSYBOX = "busybox-static"
# From the bus to the disk, in the order in which each needs the ones before; what is built in is not there.
MODULES = (
    "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk",
)  # fmt: skip


class Absent(Exception):
    """What is needed cannot be had on this machine; the text says what."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that can be booted."""

    name: str  # as in META
    image: Path
    modules: tuple[Path, ...]


def kernel(name: str) -> Kernel:
    """The newest kernel of that line.

    Raises:
        Absent: the distribution has none.
    """
    folder = _unpacked(_newest(META[name]))
    image = next(folder.glob("boot/vmlinuz-*"))
    found = {
        path.name.partition(".")[0]: path for path in folder.glob("lib/modules/*/kernel/drivers/**/*.ko*")
    }
    return Kernel(name, image, tuple(found[module] for module in MODULES if module in found))


def busybox() -> Path:
    """A shell that needs nothing else, for the moment before there is a disk."""
    return next(_unpacked(BUSYBOX).glob("**/bin/busybox"))


def _newest(meta: str) -> str:
    for prepare in (["true"], ["apt-get", "update", "-qq"]):  # lists may be there already
        subprocess.run(prepare, check=False, capture_output=True)
        done = subprocess.run(["apt-cache", "depends", meta], check=False, capture_output=True, text=True)
        found = re.findall(r"Depends: (linux-image-\d\S+)", done.stdout)
        if found:
            return str(found[0])
    raise Absent(f"apt knows no {meta}")


def _unpacked(package: str) -> Path:
    folder = CACHE / package
    if folder.is_dir():
        return folder
    fresh = CACHE / f"{package}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for argv in (["apt-get", "download", "-qq", package], ["sh", "-c", "dpkg-deb -x *.deb . && rm *.deb"]):
        done = subprocess.run(argv, cwd=fresh, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise Absent(f"{package} cannot be had: {done.stderr.strip()[-300:]}")
    return fresh.rename(folder)
