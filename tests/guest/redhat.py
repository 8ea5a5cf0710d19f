"""The .rpm, installed by dnf into the file system of a guest: what its scripts do, and that it runs.

The guest is a Debian all the same; a package that is empty says that it has what a Red Hat system would have.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from guest.machine import Guest, Wrong
from guest.rootfs import Absent
from support.tree import ROOT

NEEDED = ("dnf", "createrepo_c", "rpm")
NAMES = ("wand-hostagent", "wand-server", "wand")
_NFPM = ROOT / ".dev" / "nfpm" / "bin" / "nfpm"
_THERE = ("python3.11", "glibc = 2.36", "libstdc++", "libgcc", "systemd = 252", "/bin/sh")


def need() -> None:
    """See that the tools are there.

    Raises:
        Absent: one is not.
    """
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        raise Absent(f"needs {', '.join(missing)} (Debian: dnf, createrepo-c, rpm)")


def install(root: Path, packages: Path, work: Path) -> None:
    """Install both halves below `root`, from a repository of their own and nothing else."""
    repository = work / "repository"
    repository.mkdir()
    for path in packages.glob("*-1.*.rpm"):
        shutil.copy(path, repository)
    stub = {
        "name": "stub", "description": "What the system brings.", "provides": list(_THERE),
        "arch": "noarch", "version": "1", "release": "1", "maintainer": "Wand <wand@example.invalid>",
    }  # fmt: skip
    (work / "stub.json").write_text(json.dumps(stub))
    _run([_NFPM, "package", "-f", work / "stub.json", "-p", "rpm", "-t", repository])
    _run(["createrepo_c", "-q", repository])
    _dnf(root, work, "install", *NAMES)


def remove(guest: Guest, work: Path) -> None:
    """Take them away again; the guest runs meanwhile, and its own systemd is not told."""
    _dnf(guest.root, work, "remove", *NAMES)


def _dnf(root: Path, work: Path, act: str, *names: str) -> None:
    _run([
        "dnf", "-q", "-y", f"--installroot={root}", "--releasever=9", "--disablerepo=*", "--nogpgcheck",
        f"--repofrompath=wand,file://{work / 'repository'}", "--setopt=reposdir=/nonexistent",
        f"--setopt=cachedir={work / 'dnf'}", f"--setopt=logdir={work / 'dnf'}", act, *names,
    ])  # fmt: skip


def _run(argv: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [str(word) for word in argv], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise Wrong(f"{Path(argv[0]).name}: {done.stdout[-1200:]}")
