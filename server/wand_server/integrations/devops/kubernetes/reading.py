"""What a cluster answers, in short: objects nest deeply, and most of it is of no interest."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from wand_server.integrations.kit import Resource
from wand_server.integrations.kit.paging import found

_GOOD = frozenset({"Available", "Progressing", "Ready"})  # that one of these does not hold has to be said
_MOST_SAID = 300


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
        "init_containers": "status.initContainerStatuses", "ending_since": "metadata.deletionTimestamp",
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
    ending_since: str | None = None  # it is being deleted, whatever its phase
    init_containers: list[Container] = []
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
        return {"images": images, "conditions": _conditions(told, holds="True", wanted=_GOOD)}


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
        "selector": "spec.selector", "ports": "spec.ports", "leads_to": "spec.externalName",
    }  # fmt: skip

    name: str = ""
    namespace: str = ""
    type: str = ""
    cluster_ip: str = ""
    external: list[str] = []  # addresses by which it is reached from outside
    leads_to: str | None = None  # a name outside the cluster
    selector: dict[str, str] = {}
    ports: list[Port] = []
    created: str | None = None

    @classmethod
    def more(cls, told: dict[str, Any]) -> dict[str, Any]:
        balanced = _tables(told, "status.loadBalancer.ingress")
        named = [str(one.get("ip") or one.get("hostname") or "") for one in balanced]
        return {"external": [*filter(None, named), *(found(told, "spec.externalIPs") or [])]}


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
    addresses: list[str] = []
    taints: list[str] = []  # key=value:effect, as kubectl writes them
    conditions: list[str] = []  # Ready or not Ready, and what presses
    created: str | None = None

    @classmethod
    def more(cls, told: dict[str, Any]) -> dict[str, Any]:
        return {
            "addresses": [str(one.get("address", "")) for one in _tables(told, "status.addresses")],
            "taints": [_taint(one) for one in _tables(told, "spec.taints")],
            "conditions": _conditions(told, holds="True", wanted=_GOOD),
        }


class Event(Flat):
    places: ClassVar = {
        "namespace": "metadata.namespace", "type": "type", "reason": "reason", "message": "message",
    }  # fmt: skip

    namespace: str = ""
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
        series = told.get("series") or {}  # where newer ones keep how often, and when
        first = told.get("firstTimestamp") or told.get("eventTime")
        return {
            "about": f"{about.get('kind', '')}/{about.get('name', '')}",
            "count": told.get("count") or series.get("count"),
            "first": first,
            "last": told.get("lastTimestamp") or series.get("lastObservedTime") or first,
        }


class ConfigMap(Flat):
    places: ClassVar = {"namespace": "metadata.namespace", "data": "data", "binary": "binaryData"}

    name: str = ""
    namespace: str = ""
    data: dict[str, str] = {}
    binary: dict[str, str] = {}  # base64
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
            said = str(about.get("message") or "").strip()[:_MOST_SAID]
            why = ", ".join(filter(None, (str(about.get("reason") or ""), code, said)))
            return f"{name}: {why}" if why else str(name)
    return ""


def _tables(told: dict[str, Any], place: str) -> list[dict[str, Any]]:
    return [one for one in found(told, place) or () if isinstance(one, dict)]


def _taint(told: dict[str, Any]) -> str:
    value = f"={told['value']}" if told.get("value") else ""
    return f"{told.get('key', '')}{value}:{told.get('effect', '')}"


def _conditions(told: dict[str, Any], *, holds: str, wanted: frozenset[str] = frozenset()) -> list[str]:
    """The conditions whose status is that one, with why; of those wanted also that they do not hold."""
    conditions = _tables(told, "status.conditions")
    return [
        _told(one) if one.get("status") == holds else f"not {_told(one)}"
        for one in conditions
        if one.get("status") == holds or one.get("type") in wanted
    ]


def _told(condition: dict[str, Any]) -> str:
    why = str(condition.get("message") or condition.get("reason") or "")
    return ": ".join(filter(None, (str(condition.get("type", "")), why)))
