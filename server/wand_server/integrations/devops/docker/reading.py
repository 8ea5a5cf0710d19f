"""What docker prints, read."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from wand_server.integrations.kit import Resource


class Listed(Resource):
    """A container in the list."""

    id: Annotated[str, Field(alias="ID")]
    name: Annotated[str, Field(alias="Names")] = ""
    image: Annotated[str, Field(alias="Image")] = ""
    state: Annotated[str, Field(alias="State")] = ""
    status: Annotated[str, Field(alias="Status")] = ""
    ports: Annotated[str, Field(alias="Ports")] = ""
    command: Annotated[str, Field(alias="Command")] = ""
    created: Annotated[str, Field(alias="CreatedAt")] = ""
    networks: Annotated[str, Field(alias="Networks")] = ""


class Inspected(Resource):
    """A container; of its variables the names alone, for their values may be secret."""

    id: str
    name: str
    image: str
    state: str
    exit_code: int | None = None
    error: str = ""
    is_out_of_memory: bool = False
    health: str = ""
    created: str = ""
    started: str = ""
    finished: str = ""
    restarts: int = 0
    command: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    mounts: tuple[str, ...] = ()
    networks: dict[str, str] = {}
    ports: tuple[str, ...] = ()
    restart: str = ""
    is_privileged: bool = False


class Made(Resource):
    id: str


class Logs(Resource):
    stdout: str = ""
    stderr: str = ""


class Executed(Resource):
    exit_code: int
    stdout: str = ""
    stderr: str = ""


class Stats(Resource):
    name: Annotated[str, Field(alias="Name")] = ""
    id: Annotated[str, Field(alias="ID")] = ""
    cpu: Annotated[str, Field(alias="CPUPerc")] = ""
    memory: Annotated[str, Field(alias="MemUsage")] = ""
    memory_share: Annotated[str, Field(alias="MemPerc")] = ""
    network: Annotated[str, Field(alias="NetIO")] = ""
    disk: Annotated[str, Field(alias="BlockIO")] = ""
    processes: Annotated[str, Field(alias="PIDs")] = ""


class ImageListed(Resource):
    id: Annotated[str, Field(alias="ID")]
    repository: Annotated[str, Field(alias="Repository")] = ""
    tag: Annotated[str, Field(alias="Tag")] = ""
    digest: Annotated[str, Field(alias="Digest")] = ""
    size: Annotated[str, Field(alias="Size")] = ""
    created: Annotated[str, Field(alias="CreatedAt")] = ""


class Pulled(Resource):
    reference: str


class Removed(Resource):
    untagged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


class Network(Resource):
    id: Annotated[str, Field(alias="ID")]
    name: Annotated[str, Field(alias="Name")] = ""
    driver: Annotated[str, Field(alias="Driver")] = ""
    scope: Annotated[str, Field(alias="Scope")] = ""
    internal: Annotated[str, Field(alias="Internal")] = ""


class Volume(Resource):
    name: Annotated[str, Field(alias="Name")]
    driver: Annotated[str, Field(alias="Driver")] = ""
    mountpoint: Annotated[str, Field(alias="Mountpoint")] = ""
    labels: Annotated[str, Field(alias="Labels")] = ""


class Info(Resource):
    name: Annotated[str, Field(alias="Name")] = ""
    version: Annotated[str, Field(alias="ServerVersion")] = ""
    containers: Annotated[int, Field(alias="Containers")] = 0
    running: Annotated[int, Field(alias="ContainersRunning")] = 0
    paused: Annotated[int, Field(alias="ContainersPaused")] = 0
    stopped: Annotated[int, Field(alias="ContainersStopped")] = 0
    images: Annotated[int, Field(alias="Images")] = 0
    storage: Annotated[str, Field(alias="Driver")] = ""
    system: Annotated[str, Field(alias="OperatingSystem")] = ""
    kernel: Annotated[str, Field(alias="KernelVersion")] = ""
    processors: Annotated[int, Field(alias="NCPU")] = 0
    memory_bytes: Annotated[int, Field(alias="MemTotal")] = 0
    folder: Annotated[str, Field(alias="DockerRootDir")] = ""
    warnings: Annotated[tuple[str, ...] | None, Field(alias="Warnings")] = None


def inspected(told: dict[str, Any]) -> Inspected:
    state, config, host = told.get("State") or {}, told.get("Config") or {}, told.get("HostConfig") or {}
    return Inspected(
        id=told["Id"],
        name=told.get("Name", "").lstrip("/"),
        image=config.get("Image", ""),
        state=state.get("Status", ""),
        exit_code=state.get("ExitCode"),
        error=state.get("Error", ""),
        is_out_of_memory=state.get("OOMKilled", False),
        health=(state.get("Health") or {}).get("Status", ""),
        created=told.get("Created", ""),
        started=state.get("StartedAt", ""),
        finished=state.get("FinishedAt", ""),
        restarts=told.get("RestartCount", 0),
        command=(told.get("Path", ""), *(told.get("Args") or ())),
        variables=tuple(one.partition("=")[0] for one in config.get("Env") or ()),
        labels=config.get("Labels") or {},
        mounts=tuple(map(_mount, told.get("Mounts") or ())),
        networks=dict(_networks(told.get("NetworkSettings") or {})),
        ports=tuple(_ports(told.get("NetworkSettings") or {})),
        restart=(host.get("RestartPolicy") or {}).get("Name", ""),
        is_privileged=host.get("Privileged", False),
    )


def _mount(told: dict[str, Any]) -> str:
    source = told.get("Name") or told.get("Source", "")
    return f"{source}:{told.get('Destination', '')}:{'rw' if told.get('RW') else 'ro'}"


def _networks(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, about in (told.get("Networks") or {}).items():
        yield name, (about or {}).get("IPAddress", "")


def _ports(told: dict[str, Any]) -> Iterator[str]:
    for inner, outer in (told.get("Ports") or {}).items():
        if not outer:
            yield inner
        for one in outer or ():
            yield f"{one['HostIp']}:{one['HostPort']}->{inner}"
