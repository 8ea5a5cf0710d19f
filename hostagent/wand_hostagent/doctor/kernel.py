"""What the kernel and its settings give to confine a command with."""

import ctypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from wand_proto.findings import Finding, good, note

_LANDLOCK_CREATE_RULESET, _LANDLOCK_VERSION = 444, 1  # landlock_create_ruleset(2)
_CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")
_WANTED = ("cpu", "io", "memory", "pids")
_FEATURES = (  # what to do where it is not there stands last
    ("seccomp", Path("/proc/sys/kernel/seccomp/actions_avail"), "a kernel built with CONFIG_SECCOMP_FILTER"),
    ("process namespaces", Path("/proc/self/ns/pid"), "a kernel built with CONFIG_PID_NS"),
    ("network namespaces", Path("/proc/self/ns/net"), "a kernel built with CONFIG_NET_NS"),
)  # fmt: skip
_SWITCHES = (  # for a launcher that is not root: its file, what it must not say, and how to change it
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile of AppArmor that lets it",
    ),
)


def look(*, is_development: bool) -> Iterator[Finding]:
    """Each feature, and for a launcher that is not root, whether it may make user namespaces."""
    yield landlock()
    for name, path, hint in _FEATURES:
        yield good(name, "there") if path.exists() else note(name, "not found", hint)
    yield controllers(_CONTROLLERS.read_text() if _CONTROLLERS.exists() else None)
    if is_development:
        yield user_namespaces([(_said(Path(path)), bad, hint) for path, bad, hint in _SWITCHES])


def landlock() -> Finding:
    """Which version of Landlock the kernel has."""
    abi = ctypes.CDLL(None, use_errno=True).syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    if abi > 0:
        return good("Landlock", f"ABI {abi}")
    why = os.strerror(ctypes.get_errno())
    return note("Landlock", why, "Linux 5.13 or newer, booted with lsm=landlock,…")


def controllers(text: str | None) -> Finding:
    """What can be limited of a job as a whole; `text` is /sys/fs/cgroup/cgroup.controllers, None without."""
    if text is None:
        return note("cgroup v2", "not found", "boot with systemd.unified_cgroup_hierarchy=1")
    lacking = [name for name in _WANTED if name not in text.split()]
    if lacking:
        hint = f"boot with cgroup_enable={lacking[0]}, and without cgroup v1 (cgroup_no_v1=all)"
        return note("cgroup v2", f"there, without the controllers {', '.join(lacking)}", hint)
    return good("cgroup v2", f"there, with {', '.join(_WANTED)}")


def user_namespaces(switches: Sequence[tuple[str, str, str]]) -> Finding:
    """Whether any user may make one; of each switch what it says, what it must not say, and what to do."""
    for said, bad, hint in switches:
        if said == bad:
            return note("user namespaces", "only root may make them", hint)
    return good("user namespaces", "any user may make them")


def _said(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
