"""Boot each kernel under emulation, try every limit in it through the real launcher, print what was seen."""

import argparse
import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vm import image, kernels
from vm.kernels import CACHE, Absent, Kernel

EMULATOR = "qemu-system-x86_64"
# cmpxchg16b of this emulator is wrong where an address has a segment, as newer kernels use it: they panic.
_PROCESSOR = "max,-cx16"
_KERNEL_WORDS = "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off random.trust_cpu=on"
_WIDTH = 46
Seen = Mapping[str, Mapping[str, Any]]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev vm", description=__doc__, allow_abbrev=False)
    parser.add_argument("--kernel", action="append", choices=tuple(kernels.META), help="default: all")
    parser.add_argument("--only", default="", help="names of checks, with commas between and _ for a space")
    parser.add_argument("--seconds", type=float, default=900.0, help="the most for one machine")
    told = parser.parse_args(words)
    try:
        _need(EMULATOR, "mke2fs", "ldconfig", "apt-get", "dpkg-deb")
        found = [kernels.kernel(name) for name in told.kernel or kernels.META]
        disk, busybox = image.disk(), kernels.busybox()
        begins = [image.beginning(kernel, busybox) for kernel in found]
    except Absent as absent:
        print(f"vm: {absent}")
        return 1
    with ThreadPoolExecutor(len(found)) as pool:
        seen = list(pool.map(lambda one, begin: run(one, begin, disk, told), found, begins))
    print(*table(found, seen), sep="\n")
    return 0 if all(map(is_good, seen)) else 1


def _need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise Absent(f"needs {', '.join(missing)} (Debian: qemu-system-x86, seabios, e2fsprogs)")


def run(kernel: Kernel, begin: Path, disk: Path, told: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Boot the kernel, and what its checks have seen by name; `` has what belongs to none."""
    results, console = CACHE / f"results-{kernel.name}", CACHE / f"console-{kernel.name}"
    argv = [
        EMULATOR, "-accel", "tcg", "-cpu", _PROCESSOR, "-m", "1024", "-smp", "1", "-display", "none",
        "-nodefaults", "-no-reboot", "-kernel", kernel.image, "-initrd", begin,
        "-append", f"{_KERNEL_WORDS} wand.only={told.only}",
        "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe,snapshot=on",
        "-serial", f"file:{console}", "-serial", f"file:{results}",
    ]  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    try:
        subprocess.run(
            [str(word) for word in argv], stdin=subprocess.DEVNULL, check=True, timeout=told.seconds
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        found["it ends"] = {"good": False, "seen": f"{type(error).__name__}; see {console}"}
    for line in results.read_text(errors="replace").splitlines() if results.exists() else ():
        if line.startswith("{"):
            said = json.loads(line)
            found[said.get("check", "" if "kernel" in said else "done")] = said
    if "done" not in found:
        found["it ends"] = {"good": False, "seen": f"the checks did not come to their end; see {console}"}
    return found


def is_good(seen: Seen) -> bool:
    return all(one["good"] for one in seen.values() if "good" in one)


def table(found: Sequence[Kernel], seen: Sequence[Seen]) -> list[str]:
    """What was seen of each limit, one column a kernel."""
    names = list(dict.fromkeys(name for one in seen for name, told in one.items() if "good" in told))
    versions = [one.get("", {}).get("kernel", "did not start") for one in seen]
    heads = [f"{kernel.name} ({version})" for kernel, version in zip(found, versions, strict=True)]
    lines = _row("limit", heads)
    lines += _row("", ["-" * _WIDTH] * len(found))
    for name in names:
        lines += _row(name, [_cell(one.get(name)) for one in seen])
    good = sum(bool(told.get("good")) for one in seen for told in one.values())
    total = sum("good" in told for one in seen for told in one.values())
    return [*lines, f"limits seen to hold: {good} of {total}"]


def _cell(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return "not tried"
    return str(told["seen"]) if told["good"] else f"WRONG: {told['seen']}"


def _row(name: str, cells: Sequence[str]) -> list[str]:
    columns = [textwrap.wrap(cell, _WIDTH) or [""] for cell in cells]
    lines = []
    for index in range(max(map(len, columns))):
        parts = [column[index] if index < len(column) else "" for column in columns]
        first = name if index == 0 else ""
        lines.append(f"{first:24}" + "  ".join(f"{part:{_WIDTH}}" for part in parts).rstrip())
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
