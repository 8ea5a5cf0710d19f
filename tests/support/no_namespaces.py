"""A place where no namespace can be made, as in a container: what stands in front of a command line."""

import functools
import shutil
import subprocess

# A user namespace in which nobody may make another, left without a capability.
WITHOUT = (
    "unshare", "-Ur", "sh", "-c",
    'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all --inh-caps -all "$@"',
    "sh",
)  # fmt: skip


@functools.cache
def can_refuse() -> bool:
    """Whether this machine lets us take namespaces away."""
    if not shutil.which("unshare") or not shutil.which("setpriv"):
        return False
    return subprocess.run([*WITHOUT, "true"], check=False, capture_output=True).returncode == 0
