"""What lintian and rpmlint say of the packages."""

import os
import shutil
import subprocess
from pathlib import Path

from guest.machine import Wrong
from guest.rootfs import Absent
from support.tree import ROOT

# lintian starts a thousand programs from a process of half a gigabyte: in large pages that is copied fast
_LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def lintian(packages: Path) -> str:
    """No error and no warning that no override excuses."""
    files = sorted(packages.glob("*-2_*.deb"))
    said = _said(["lintian", "--allow-root", "--tag-display-limit", "0", *map(str, files)])
    return _clean(said, "E: ", "W: ")


def rpmlint(packages: Path) -> str:
    """The same of rpmlint, with the excuses of packaging/rpm/rpmlint.toml."""
    files = sorted(packages.glob("*-1.*.rpm"))
    said = _said(["rpmlint", "-c", str(ROOT / "packaging" / "rpm" / "rpmlint.toml"), *map(str, files)])
    if f"{len(files)} packages" not in said:
        raise Wrong(f"rpmlint has not looked at all: {said[-800:]}")
    return _clean(said, ": E: ", ": W: ")


def _said(argv: list[str]) -> str:
    if shutil.which(argv[0]) is None:
        raise Absent(f"needs {argv[0]} (Debian: apt-get install {argv[0]})")
    done = subprocess.run(
        argv, env=os.environ | _LARGE_PAGES, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return done.stdout


def _clean(said: str, *marks: str) -> str:
    wrong = [line for line in said.splitlines() if any(mark in line for mark in marks)]
    if wrong:
        raise Wrong("\n".join(wrong))
    return "no error, no warning"
