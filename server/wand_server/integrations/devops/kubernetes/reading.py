"""What a cluster answers, in short: objects nest deeply, and most of it is of no interest."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from wand_server.integrations.kit import Resource
from wand_server.integrations.kit.paging import found


class Flat(Resource):
    """A thing whose fields stand at places in what the cluster says."""

    places: ClassVar[dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, told: Any) -> Any:
        if not isinstance(told, dict) or "metadata" not in told:
            return told
        common = {"name": "metadata.name", "created": "metadata.creationTimestamp"}
        read = {name: found(told, place) for name, place in {**common, **cls.places}.items()}
        return {name: value for name, value in {**read, **cls.more(told)}.items() if value is not None}

    @classmethod
    def more(cls, told: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """What has to be gathered."""
        return {}


class Namespace(Flat):
    places: ClassVar = {"phase": "status.phase", "labels": "metadata.labels"}

    name: str = ""
    phase: str = ""
    labels: dict[str, str] = {}
    created: str | None = None


class Container(Resource):
    name: str = ""
    image: str = ""
    is_ready: Annotated[bool, Field(alias="ready")] = False
    restarts: Annotated[int, Field(alias="restartCount")] = 0
    state: str = ""  # running, waiting or terminated, and why
    last_state: str = ""

    @model_validator(mode="before")
    @classmethod
    def _states(cls, told: Any) -> Any:
        if not isinstance(told, dict):
            return told
        states = {"state": _state(told.get("state")), "last_state": _state(told.get("lastState"))}
        return {**told, **states}


class Pod(Flat):
    places: ClassVar = {
        "namespace": "metadata.namespace", "labels": "metadata.labels", "phase": "status.phase",
        "reason": "status.reason", "message": "status.message", "node": "spec.nodeName",
        "ip": "status.podIP", "started": "status.startTime", "containers": "status.containerStatuses",
    }  # fmt: skip

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    phase: str = ""
    reason: str = ""
    message: str = ""
    node: str = ""
    ip: str = ""
    created: str | None = None
    started: str | None = None
    containers: list[Container] = []
    conditions: list[str] = []  # those that do not hold

    @classmethod
    def more(cls, told: dict[str, Any]) -> dict[str, Any]:
        return {"conditions": _conditions(told, holds="False")}


class Deployment(Flat):
    places: ClassVar = {
        "namespace": "metadata.namespace", "labels": "metadata.labels", "replicas": "spec.replicas",
        "ready": "status.readyReplicas", "updated": "status.updatedReplicas",
        "available": "status.availableReplicas",
    }  # fmt: skip

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    replicas: int | None = None
    ready: int = 0
    updated: int = 0
    available: int = 0
    images: list[str] = []
    conditions: list[str] = []
    created: str | None = None

    @classmethod
    def more(cls, told: dict[str, Any]) -> dict[str, Any]:
        containers = found(told, "spec.template.spec.containers") or []
        images = [one.get("image", "") for one in containers if isinstance(one, dict)]
        return {"images": images, "conditions": _conditions(told, holds="True")}


class Scale(Flat):
    places: ClassVar = {"replicas": "spec.replicas", "now": "status.replicas"}

    name: str = ""
    replicas: int = 0
    now: int | None = None
    created: str | None = None


class Port(Resource):
    name: str | None = None
    port: int | None = None
    target: Annotated[int | str | None, Field(alias="targetPort")] = None
    node: Annotated[int | None, Field(alias="nodePort")] = None
    protocol: str | None = None


class Service(Flat):
    places: ClassVar = {
        "namespace": "metadata.namespace", "type": "spec.type", "cluster_ip": "spec.clusterIP",
        "selector": "spec.selector", "ports": "spec.ports",
    }  # fmt: skip

    name: str = ""
    namespace: str = ""
    type: str = ""
    cluster_ip: str = ""
    selector: dict[str, str] = {}
    ports: list[Port] = []
    created: str | None = None


class Node(Flat):
    places: ClassVar = {
        "labels": "metadata.labels", "version": "status.nodeInfo.kubeletVersion",
        "system": "status.nodeInfo.osImage", "capacity": "status.capacity",
        "allocatable": "status.allocatable", "is_cordoned": "spec.unschedulable",
    }  # fmt: skip

    name: str = ""
    labels: dict[str, str] = {}
    version: str = ""
    system: str = ""
    capacity: dict[str, str] = {}
    allocatable: dict[str, str] = {}
    is_cordoned: bool = False
    conditions: list[str] = []  # Ready, and what presses
    created: str | None = None

    @classmethod
    def more(cls, told: dict[str, Any]) -> dict[str, Any]:
        return {"conditions": _conditions(told, holds="True")}


class Event(Flat):
    places: ClassVar = {
        "type": "type", "reason": "reason", "message": "message", "count": "count",
        "first": "firstTimestamp", "last": "lastTimestamp",
    }  # fmt: skip

    about: str = ""  # Pod/web-1
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    first: str | None = None
    last: str | None = None

    @classmethod
    def more(cls, told: dict[str, Any]) -> dict[str, Any]:
        about = told.get("involvedObject") or {}
        return {"about": f"{about.get('kind', '')}/{about.get('name', '')}"}


class ConfigMap(Flat):
    places: ClassVar = {"namespace": "metadata.namespace", "data": "data"}

    name: str = ""
    namespace: str = ""
    data: dict[str, str] = {}
    created: str | None = None


class Job(Flat):
    places: ClassVar = {
        "namespace": "metadata.namespace", "active": "status.active", "succeeded": "status.succeeded",
        "failed": "status.failed", "started": "status.startTime", "completed": "status.completionTime",
    }  # fmt: skip

    name: str = ""
    namespace: str = ""
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    started: str | None = None
    completed: str | None = None
    created: str | None = None
    conditions: list[str] = []

    @classmethod
    def more(cls, told: dict[str, Any]) -> dict[str, Any]:
        return {"conditions": _conditions(told, holds="True")}


class Applied(Resource):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    generation: int | None = None


class Kind(Resource):
    """One kind of resource, or a group of them."""

    name: str
    kind: str = ""
    api_version: str = ""
    is_namespaced: bool | None = None
    verbs: list[str] = []


def _state(told: Any) -> str:
    """`waiting: CrashLoopBackOff`, `terminated: OOMKilled, exit code 137`."""
    for name, about in (told or {}).items() if isinstance(told, dict) else ():
        if isinstance(about, dict):
            code = f"exit code {about['exitCode']}" if "exitCode" in about else ""
            why = ", ".join(filter(None, (str(about.get("reason") or ""), code)))
            return f"{name}: {why}" if why else str(name)
    return ""


def _conditions(told: dict[str, Any], *, holds: str) -> list[str]:
    """The conditions whose status is that one, with why."""
    conditions = found(told, "status.conditions") or []
    return [_told(one) for one in conditions if isinstance(one, dict) and one.get("status") == holds]


def _told(condition: dict[str, Any]) -> str:
    why = str(condition.get("message") or condition.get("reason") or "")
    return ": ".join(filter(None, (str(condition.get("type", "")), why)))
