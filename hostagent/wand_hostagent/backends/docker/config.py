"""What a container is made of: all of it is the administrator's, but for the command and its folder."""

from collections.abc import Mapping, Sequence
from typing import Any

from wand_hostagent.backends.docker.places import Place


def container(
    place: Place, labels: Mapping[str, str], command: Sequence[str], *, environment: Mapping[str, str]
) -> dict[str, Any]:
    """The body of a request that creates a container, its standard streams not yet in it."""
    return {
        "Image": place.image,
        "Entrypoint": [],
        "Cmd": list(command),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "User": place.user,
        "Labels": dict(labels),
        "NetworkDisabled": place.network == "none",
        "HostConfig": {
            "NetworkMode": place.network,
            "Memory": place.memory_bytes,
            "MemorySwap": place.memory_bytes,
            "NanoCpus": int(place.cpus * 1e9),
            "PidsLimit": place.processes,
            "ReadonlyRootfs": place.read_only,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Privileged": False,
            "Init": True,
            "IpcMode": "private",
            "LogConfig": {"Type": "none"},
            "Tmpfs": {"/tmp": f"rw,nosuid,nodev,size={place.tmp_bytes},mode=1777"},  # noqa: S108 - the container's
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": str(mount.source),
                    "Target": str(mount.target),
                    "ReadOnly": not mount.writable,
                    "BindOptions": {"Propagation": "private"},
                }
                for mount in place.mounts
            ],
        },
    }


def with_log(made: dict[str, Any], most_bytes: int) -> dict[str, Any]:
    """The same for one whose output a later host agent has to find: in two files of so many bytes."""
    options = {"max-size": str(most_bytes), "max-file": "2", "compress": "false"}
    log = {"Type": "local", "Config": options}
    return {**made, "HostConfig": {**made["HostConfig"], "LogConfig": log}}


def for_one_job(made: dict[str, Any], directory: str, *, terminal: bool, reads: bool) -> dict[str, Any]:
    """The same for a container that is there for one job."""
    streams = {
        "AttachStdin": reads, "AttachStdout": True, "AttachStderr": True,
        "OpenStdin": reads, "StdinOnce": reads, "Tty": terminal,
    }  # fmt: skip
    return {**made, **streams, "WorkingDir": directory}


def command_in_it(
    words: Sequence[str], directory: str, environment: Mapping[str, str], *, terminal: bool, reads: bool
) -> dict[str, Any]:
    """The body of a request that makes a command in a container that runs."""
    return {
        "Cmd": list(words),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "WorkingDir": directory,
        "AttachStdin": reads,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": terminal,
        "Privileged": False,
    }
