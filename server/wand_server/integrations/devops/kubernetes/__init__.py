"""The API of Kubernetes."""

import json
import re
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, SecretStr

from wand_proto.errors import Invalid, NotFound
from wand_server.integrations.devops.kubernetes import kubeconfig
from wand_server.integrations.devops.kubernetes.reading import (
    Applied,
    ConfigMap,
    Deployment,
    Event,
    Job,
    Kind,
    Namespace,
    Node,
    Pod,
    Scale,
    Service,
)
from wand_server.integrations.kit import (
    Bearer,
    Cursor,
    Integration,
    Page,
    Request,
    Sent,
    delete,
    get,
    operation,
)
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.operation import Plan
from wand_server.integrations.kit.tls import Trust

_NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_PAGES = Cursor(items="items", mark="metadata.continue", sent_as="continue")
_MERGE, _STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML as well
# Kinds whose path is known without asking: (api version, kind): (plural, in a namespace).
_KINDS = {
    ("v1", "ConfigMap"): ("configmaps", True), ("v1", "Namespace"): ("namespaces", False),
    ("v1", "Pod"): ("pods", True), ("v1", "Secret"): ("secrets", True), ("v1", "Service"): ("services", True),
    ("apps/v1", "Deployment"): ("deployments", True), ("apps/v1", "StatefulSet"): ("statefulsets", True),
    ("apps/v1", "DaemonSet"): ("daemonsets", True), ("batch/v1", "Job"): ("jobs", True),
    ("batch/v1", "CronJob"): ("cronjobs", True),
}  # fmt: skip
_SEGMENT = {
    "apiVersion": re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/v[a-z0-9]+)?"),
    "kind": re.compile(r"[A-Za-z][A-Za-z0-9]*"),
    "name": re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?"),
    "namespace": re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
}
_LIKE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "default"}
_EXAMPLE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "b"}}

_CORE = Kind(name="core", api_version="v1")  # which stands in no list of groups
Name = Annotated[str, Field(pattern=_NAME, max_length=253)]
InNamespace = Annotated[str, Field(pattern=_NAME, max_length=63, description="the namespace")]
InNamespaces = Annotated[
    str,
    Field(
        pattern=_NAME.replace("^", r"^(\*|").replace("$", ")$"),
        max_length=63,
        description="the namespace; *: all of them",
        examples=["default"],
    ),
]
Labels = Annotated[str | None, Sent("labelSelector"), Field(description="such as app=web,tier!=cache")]
Fields = Annotated[str | None, Sent("fieldSelector"), Field(description="such as status.phase=Failed")]
Size = Annotated[int, Field(ge=1, le=500)]
_EVERYWHERE = "/namespaces/%2A"  # as the path has it where the namespace is *


class Kubernetes(Integration):
    """A cluster, as a service account or a user of it."""

    class Config(Integration.Config):
        """Where it is and who we are: in parts, or as a kubeconfig."""

        token: SecretStr | None = Field(default=None, description="of a service account")
        ca: SecretStr | None = Field(default=None, description="the cluster's authority, PEM")
        certificate: SecretStr | None = Field(default=None, description="of a client, PEM")
        key: SecretStr | None = Field(default=None, description="of that certificate, PEM")
        kubeconfig: SecretStr | None = Field(default=None, description="all of that, as JSON")

    sign_in = Bearer("token")
    trust: ClassVar[Trust] = Trust(ca="ca", certificate="certificate", key="key")

    def __init__(self, config: BaseModel) -> None:
        read = kubeconfig.completed(config)
        if not getattr(read, "base_url", ""):
            raise Invalid("is missing: the address of the cluster's API, or a kubeconfig", field="base_url")
        super().__init__(read)

    async def health_check(self) -> None:
        await self.http.send(Request(method="GET", path="/version"))  # which needs no right, but a true token

    def _sent(self, request: Request, plan: Plan) -> Awaitable[Answered]:
        if _EVERYWHERE in request.path:
            request.path = request.path.replace(_EVERYWHERE, "", 1)
        return super()._sent(request, plan)

    @get("/api/v1/namespaces", paging=_PAGES)
    async def list_namespaces(self, labels: Labels = None, limit: Size = 100) -> Page[Namespace]:
        """List the namespaces of the cluster."""

    @get("/api/v1/namespaces/{namespace}/pods", paging=_PAGES)
    async def list_pods(
        self,
        namespace: InNamespaces = "default",
        labels: Labels = None,
        fields: Fields = None,
        limit: Size = 100,
    ) -> Page[Pod]:
        """List pods: which run, which restart or crash and why, on which node."""

    @get("/api/v1/namespaces/{namespace}/pods/{name}")
    async def get_pod(self, name: Name, namespace: InNamespace = "default") -> Pod:
        """Show a pod in detail: its status, its containers, their states and restarts."""

    @get("/api/v1/namespaces/{namespace}/pods/{name}/log")
    async def get_pod_logs(
        self,
        name: Name,
        namespace: InNamespace = "default",
        container: Annotated[str | None, Field(description="needed where it has several")] = None,
        tail: Annotated[int, Sent("tailLines"), Field(ge=1, le=10_000, description="the last lines")] = 200,
        since_seconds: Annotated[int | None, Sent("sinceSeconds"), Field(ge=1)] = None,
        *,
        previous: Annotated[bool, Field(description="of the container before its last restart")] = False,
        timestamps: bool = False,
    ) -> str:
        """Read the logs of a pod: what a container printed, the last lines of it."""

    @delete("/api/v1/namespaces/{namespace}/pods/{name}")
    async def delete_pod(
        self,
        name: Name,
        namespace: InNamespace = "default",
        grace_seconds: Annotated[int | None, Sent("gracePeriodSeconds"), Field(ge=0)] = None,
    ) -> None:
        """Delete or kill a pod, such as a stuck one; its deployment recreates it."""

    @get("/apis/apps/v1/namespaces/{namespace}/deployments", paging=_PAGES)
    async def list_deployments(
        self, namespace: InNamespaces = "default", labels: Labels = None, limit: Size = 100
    ) -> Page[Deployment]:
        """List the deployments that run in a namespace: how many replicas they want, how many are ready."""

    @operation(idempotent=True)
    async def scale_deployment(
        self, name: Name, replicas: Annotated[int, Field(ge=0, le=10_000)], namespace: InNamespace = "default"
    ) -> Scale:
        """Scale a deployment: set how many replicas run."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
        return Scale.model_validate(await self._patch(path, _MERGE, {"spec": {"replicas": replicas}}))

    @operation()
    async def restart_deployment(self, name: Name, namespace: InNamespace = "default") -> Deployment:
        """Restart a deployment: its pods are replaced, a few at a time, as `kubectl rollout restart` does."""
        mark = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="seconds")}
        change = {"spec": {"template": {"metadata": {"annotations": mark}}}}
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        return Deployment.model_validate(await self._patch(path, _STRATEGIC, change))

    @get("/api/v1/namespaces/{namespace}/services", paging=_PAGES)
    async def list_services(
        self, namespace: InNamespaces = "default", labels: Labels = None, limit: Size = 100
    ) -> Page[Service]:
        """List services: their addresses, ports and which pods they lead to."""

    @get("/api/v1/nodes", paging=_PAGES)
    async def list_nodes(self, labels: Labels = None, limit: Size = 100) -> Page[Node]:
        """List the nodes of the cluster: versions, capacity, and which are not ready."""

    @get("/api/v1/namespaces/{namespace}/events", paging=_PAGES)
    async def list_events(
        self,
        namespace: InNamespaces = "default",
        fields: Annotated[
            str | None,
            Sent("fieldSelector"),
            Field(description="such as involvedObject.name=web-1,type=Warning"),
        ] = None,
        limit: Size = 100,
    ) -> Page[Event]:
        """List events: what happened to pods and other things, and why something does not start."""

    @get("/api/v1/namespaces/{namespace}/configmaps/{name}")
    async def get_configmap(self, name: Name, namespace: InNamespace = "default") -> ConfigMap:
        """Read a config map."""

    @get("/apis/batch/v1/namespaces/{namespace}/jobs", paging=_PAGES)
    async def list_jobs(
        self, namespace: InNamespaces = "default", labels: Labels = None, limit: Size = 100
    ) -> Page[Job]:
        """List batch jobs: which run, succeeded or failed."""

    @operation(idempotent=True)
    async def apply_manifest(
        self,
        manifest: Annotated[dict[str, Any], Field(description="one object, as JSON", examples=[_EXAMPLE])],
        namespace: Annotated[InNamespace | None, Field(description="if the manifest names none")] = None,
        *,
        force: Annotated[bool, Field(description="take over fields that others manage")] = False,
        dry_run: Annotated[bool, Field(description="only check it")] = False,
    ) -> Applied:
        """Apply a manifest (its YAML as JSON): deploy the object that it describes to the cluster."""
        query = {"fieldManager": "wand", "force": "true" if force else "false"}
        if dry_run:
            query["dryRun"] = "All"
        path = await self._path_of(manifest, namespace)
        told = await self._patch(path, _APPLY, manifest, query)
        about = told.get("metadata") or {}
        return Applied(
            api_version=told.get("apiVersion", ""),
            kind=told.get("kind", ""),
            name=about.get("name", ""),
            namespace=about.get("namespace") or "",
            generation=about.get("generation"),
        )

    @operation(read_only=True)
    async def list_resources(
        self,
        api_version: Annotated[
            str | None, Field(pattern=r"^[a-z0-9.-]+(/[a-z0-9]+)?$", description="such as v1 or apps/v1")
        ] = None,
    ) -> list[Kind]:
        """List which kinds of resources the cluster knows: the groups, or the kinds of one of them."""
        if api_version is None:
            told = (await self.http.send(Request(method="GET", path="/apis"))).body
            return [_CORE, *(_group(one) for one in told.get("groups") or [])]
        return await self._kinds(api_version)

    async def _kinds(self, api_version: str) -> list[Kind]:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        told = (await self.http.send(Request(method="GET", path=path))).body
        return [_kind(one, api_version) for one in told.get("resources") or [] if "/" not in one["name"]]

    async def _path_of(self, manifest: dict[str, Any], namespace: str | None) -> str:
        """Where the object of a manifest is.

        Raises:
            Invalid: it does not say what it is; names the place that is wrong.
            NotFound: the cluster knows no such kind.
        """
        version, kind = (_said(manifest, place) for place in ("apiVersion", "kind"))
        about = manifest.get("metadata") if isinstance(manifest.get("metadata"), dict) else {}
        name = _said(about or {}, "name", "metadata.name")
        plural, is_namespaced = _KINDS.get((version, kind)) or await self._looked_up(version, kind)
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        where = {"namespace": namespace or "default", **(about or {})}
        inside = f"/namespaces/{_said(where, 'namespace', 'metadata.namespace')}" if is_namespaced else ""
        return f"{base}{inside}/{plural}/{name}"

    async def _looked_up(self, version: str, kind: str) -> tuple[str, bool]:
        for one in await self._kinds(version):
            if one.kind == kind:
                return one.name, bool(one.is_namespaced)
        hint = "list_resources tells which there are"
        raise NotFound(f"the cluster knows no {kind} in {version}", hint=hint, field="manifest.kind")

    async def _patch(
        self, path: str, kind: str, change: dict[str, Any], query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        request = Request(method="PATCH", path=path, query=query or {}, body=json.dumps(change).encode())
        request.headers["Content-Type"] = kind
        answered = (await self.http.send(request, repeatable=kind != _STRATEGIC)).body
        return answered if isinstance(answered, dict) else {}


def _said(table: dict[str, Any], name: str, field: str = "") -> str:
    """What a manifest says there, as a part of a path.

    Raises:
        Invalid: nothing, or what cannot be one.
    """
    said = table.get(name)
    if not isinstance(said, str) or not _SEGMENT[name].fullmatch(said):
        raise Invalid(f"must be like {_LIKE[name]}, not {said!r:.80}", field=f"manifest.{field or name}")
    return said


def _group(told: dict[str, Any]) -> Kind:
    preferred = told.get("preferredVersion") or {}
    return Kind(name=told.get("name", ""), api_version=preferred.get("groupVersion", ""))


def _kind(told: dict[str, Any], api_version: str) -> Kind:
    return Kind(
        name=told["name"],
        kind=told.get("kind", ""),
        api_version=api_version,
        is_namespaced=told.get("namespaced"),
        verbs=told.get("verbs") or [],
    )
