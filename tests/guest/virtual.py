"""A real install on a kernel of the distribution, emulated: what a whole job may use is held there.

A guest is installed as ever and turned off. Its file system becomes the disk of a machine with a pure
cgroup v2, whose systemd starts Wand, and last a script that calls it as a person does, and tells on a serial
line what it saw.
"""

import json
import shutil
import subprocess
from pathlib import Path

from guest import inside
from guest.machine import Guest, Wrong, layered, running
from guest.rootfs import Absent, root
from vm import image, kernels

_EMULATOR = "qemu-system-x86_64"
_PROCESSOR = "max,-cx16"  # see tests/vm/__main__.py
_WORDS = "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off random.trust_cpu=on"
_SIZE, _SECONDS = "1200M", 1500
_LIMITS = "[limits]\nwall_seconds = 60\nmemory_bytes = 67108864\nprocesses = 24\ncpu_percent = 20\n"
_PATIENT = "[Manager]\nDefaultTimeoutStartSec=600\n"  # all is some thirty times slower
_SLOW = "[Service]\nWatchdogSec=240\n"
_UNIT = """[Unit]
After=wand-server.service wand-hostagent.service
Wants=wand-server.service wand-hostagent.service
[Service]
Type=oneshot
ExecStart=/usr/bin/python3.11 -I /srv/inside.py
ExecStopPost=/usr/bin/systemctl poweroff --force
[Install]
WantedBy=multi-user.target
"""


def tried(packages: Path, work: Path) -> str:
    """What was seen in the machine, of one kernel.

    Raises:
        Absent: it cannot be had here.
        Wrong: something was not held.
    """
    if shutil.which(_EMULATOR) is None or shutil.which("mke2fs") is None:
        raise Absent(f"needs {_EMULATOR} and mke2fs (Debian: qemu-system-x86, seabios, e2fsprogs)")
    try:
        kernel, busybox = kernels.kernel("6.1"), kernels.busybox()
    except kernels.Absent as why:
        raise Absent(str(why)) from why
    disk, results, console = (work / name for name in ("disk", "results", "console"))
    with layered(root(), work / "virtual") as place:
        guest = Guest("virtual", place, console=work / "virtual.console")
        (place / "etc" / "hostname").write_text("virtual\n")
        with running(guest, "", packages):
            _installed(guest)
        subprocess.run(
            ["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", str(place), str(disk), _SIZE],
            check=True,
        )
    begin = image.beginning(kernel, busybox, "/lib/systemd/systemd")
    argv = [
        _EMULATOR, "-accel", "tcg", "-cpu", _PROCESSOR, "-m", "1024", "-smp", "2", "-display", "none",
        "-nodefaults", "-no-reboot", "-kernel", kernel.image, "-initrd", begin,
        "-append", f"{_WORDS} systemd.unified_cgroup_hierarchy=1",
        "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe",
        "-serial", f"file:{console}", "-serial", f"file:{results}",
    ]  # fmt: skip
    try:
        subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, check=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as late:
        raise Wrong(f"not done in {_SECONDS} s: {console.read_text(errors='replace')[-800:]}") from late
    return _read(results.read_text(errors="replace"), console)


def _installed(guest: Guest) -> None:
    guest.await_true("systemctl is-system-running | grep -E 'running|degraded'", seconds=60)
    guest.sh("apt-get install -qq -y /srv/packages/wand-*-1_*.deb")
    guest.do("useradd", "--create-home", "--groups", "wand", "ann")
    guest.do("tee", "/etc/wand/policy.d/10-people.toml", put='[groups]\ndevelopers = ["ann"]\n')
    guest.sh("sed -i '/^\\[limits\\]/,$d' /etc/wand/profiles.d/developer.toml")
    guest.do("tee", "-a", "/etc/wand/profiles.d/developer.toml", put=_LIMITS)
    guest.do("tee", "/srv/inside.py", put=Path(inside.__file__).read_text())
    guest.do("tee", "/etc/systemd/system/inside.service", put=_UNIT)
    for unit in ("wand-hostagent", "wand-server", "wand-launcher"):
        guest.do("mkdir", "-p", f"/etc/systemd/system/{unit}.service.d")
        guest.do("tee", f"/etc/systemd/system/{unit}.service.d/slow.conf", put=_SLOW)
    guest.do("mkdir", "-p", "/etc/systemd/system.conf.d")
    guest.do("tee", "/etc/systemd/system.conf.d/slow.conf", put=_PATIENT)
    guest.do("systemctl", "enable", "wand-hostagent", "wand-server", "inside")


def _read(told: str, console: Path) -> str:
    seen = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    wrong = [one for one in seen if not one["good"]]
    if wrong or not seen or seen[-1]["check"] != "done":
        raise Wrong(f"{wrong or seen}; the console: {console.read_text(errors='replace')[-800:]}")
    return "; ".join(f"{one['check']}: {one['seen']}" for one in seen)
