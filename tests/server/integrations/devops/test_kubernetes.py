"""Kubernetes: how one signs in, and what is read of what a cluster says."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from support.foreign import Says, serving
from wand_proto.errors import Invalid, NotFound, Unavailable
from wand_server.integrations.devops.kubernetes import Kubernetes

TOKEN = "token-of-a-test"
POD = {
    "metadata": {"name": "web-1", "namespace": "default", "labels": {"app": "web"}},
    "spec": {"nodeName": "n1"},
    "status": {
        "phase": "Running",
        "conditions": [
            {"type": "Ready", "status": "False", "message": "containers with unready status: [web]"},
            {"type": "PodScheduled", "status": "True"},
        ],
        "containerStatuses": [
            {
                "name": "web",
                "image": "web:1",
                "ready": False,
                "restartCount": 7,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            }
        ],
    },
}


def cluster(url: str) -> Kubernetes:
    return Kubernetes(Kubernetes.Config(base_url=url, token=SecretStr(TOKEN)))


async def asked(says: Says, operation: str, **given: Any) -> tuple[Any, Any]:
    """What an operation gives back of that answer, and the request."""
    async with serving(says) as service:
        kubernetes = cluster(service.url)
        try:
            return await kubernetes.execute(operation, given), service.asked[-1]
        finally:
            await kubernetes.cleanup()


async def test_a_pod_says_why_it_does_not_run() -> None:
    pod, request = await asked(Says(body=POD), "get_pod", name="web-1")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    (container,) = pod["containers"]
    assert (container["state"], container["last_state"], container["restarts"]) == (
        "waiting: CrashLoopBackOff",
        "terminated: OOMKilled, exit code 137",
        7,
    )
    assert pod["conditions"] == ["Ready: containers with unready status: [web]"]


async def test_pods_come_in_pages() -> None:
    body = {"metadata": {"continue": "m1"}, "items": [POD, POD]}
    page, request = await asked(Says(body=body), "list_pods", labels="app=web", limit=2, cursor="m0")
    assert (len(page["items"]), page["next_cursor"]) == (2, "m1")
    assert request.query == {"labelSelector": "app=web", "limit": "2", "continue": "m0"}


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("list_pods", "/api/v1/pods"),
        ("list_deployments", "/apis/apps/v1/deployments"),
        ("list_services", "/api/v1/services"),
        ("list_events", "/api/v1/events"),
        ("list_jobs", "/apis/batch/v1/jobs"),
    ],
)
async def test_a_star_is_every_namespace(operation: str, path: str) -> None:
    _, request = await asked(Says(body={"items": []}), operation, namespace="*", limit=5)
    assert (request.path, request.query) == (path, {"limit": "5"})


async def test_a_star_is_no_namespace_to_delete_in() -> None:
    with pytest.raises(Invalid, match="namespace"):
        await asked(Says(body={}), "delete_pod", name="web-1", namespace="*")


async def test_what_ends_waits_for_its_init_or_has_no_image_says_so() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "web:2"'}}
    status = {"phase": "Pending", "initContainerStatuses": [{"name": "migrate", "state": waiting}]}
    metadata = {"name": "web-2", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    pod, _ = await asked(Says(body={"metadata": metadata, "status": status}), "get_pod", name="web-2")
    assert pod["ending_since"] == "2026-01-01T00:00:00Z"
    (first,) = pod["init_containers"]
    assert first["state"] == 'waiting: ImagePullBackOff, Back-off pulling image "web:2"'


def listed_as(name: str, **told: Any) -> Says:
    return Says(body={"items": [{"metadata": {"name": name}, **told}]})


async def test_what_should_hold_and_does_not_is_told() -> None:
    lost = {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}
    status = {
        "conditions": [{"type": "DiskPressure", "status": "False"}, lost],
        "addresses": [{"address": "10.0.0.7"}],
    }
    taints = [{"key": "gpu", "value": "a", "effect": "NoSchedule"}, {"key": "k", "effect": "NoExecute"}]
    page, _ = await asked(listed_as("n1", status=status, spec={"taints": taints}), "list_nodes")
    (node,) = page["items"]
    assert node["conditions"] == ["not Ready: Kubelet stopped posting node status."]
    assert (node["addresses"], node["taints"]) == (["10.0.0.7"], ["gpu=a:NoSchedule", "k:NoExecute"])
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    page, _ = await asked(listed_as("web", status={"conditions": [late]}), "list_deployments")
    assert page["items"][0]["conditions"] == ["not Progressing: ProgressDeadlineExceeded"]


async def test_an_event_of_the_newer_kind_says_when_and_how_often() -> None:
    series = {"count": 9, "lastObservedTime": "2026-01-01T00:00:09Z"}
    told = {"involvedObject": {"kind": "Pod", "name": "web-1"}, "series": series, "firstTimestamp": None}
    page, _ = await asked(listed_as("e", eventTime="2026-01-01T00:00:00Z", **told), "list_events")
    (event,) = page["items"]
    assert (event["about"], event["count"]) == ("Pod/web-1", 9)
    assert (event["first"], event["last"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z")


async def test_a_service_says_where_it_is_reached_from_outside() -> None:
    spec = {"type": "LoadBalancer", "externalIPs": ["192.0.2.8"]}
    status = {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}
    page, _ = await asked(listed_as("web", spec=spec, status=status), "list_services")
    assert page["items"][0]["external"] == ["lb.example", "192.0.2.8"]


async def test_the_groups_begin_with_the_one_that_no_list_has() -> None:
    groups = [{"name": "apps", "preferredVersion": {"groupVersion": "apps/v1"}}]
    told, _ = await asked(Says(body={"groups": groups}), "list_resources")
    assert [one["api_version"] for one in told] == ["v1", "apps/v1"]


@pytest.mark.parametrize(
    ("operation", "given", "path", "kind", "sent"),
    [
        (
            "scale_deployment",
            {"name": "web", "replicas": 3, "namespace": "prod"},
            "/apis/apps/v1/namespaces/prod/deployments/web/scale",
            "application/merge-patch+json",
            {"spec": {"replicas": 3}},
        ),
        (
            "apply_manifest",
            {"manifest": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}},
            "/api/v1/namespaces/x",
            "application/apply-patch+yaml",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}},
        ),
    ],
)
async def test_a_change_is_sent(
    operation: str, given: dict[str, Any], path: str, kind: str, sent: dict[str, Any]
) -> None:
    _, request = await asked(Says(body={"metadata": {}}), operation, **given)
    assert (request.method, request.path, request.headers["content-type"]) == ("PATCH", path, kind)
    assert json.loads(request.body) == sent


async def test_a_restart_is_marked_with_its_time() -> None:
    _, request = await asked(Says(body={"metadata": {}}), "restart_deployment", name="web")
    mark = json.loads(request.body)["spec"]["template"]["metadata"]["annotations"]
    assert list(mark) == ["kubectl.kubernetes.io/restartedAt"]


async def test_a_kind_that_is_not_known_is_looked_up() -> None:
    kinds = {"resources": [{"name": "widgets", "kind": "Widget", "namespaced": True, "verbs": ["get"]}]}
    manifest = {"apiVersion": "ex.io/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "n"}}
    async with serving(Says(body=kinds), Says(body=manifest), Says(body=kinds)) as service:
        kubernetes = cluster(service.url)
        try:
            applied = await kubernetes.execute("apply_manifest", {"manifest": manifest, "dry_run": True})
            with pytest.raises(NotFound, match=r"knows no Gadget in ex\.io/v1"):
                await kubernetes.execute("apply_manifest", {"manifest": {**manifest, "kind": "Gadget"}})
        finally:
            await kubernetes.cleanup()
    assert service.asked[1].path == "/apis/ex.io/v1/namespaces/n/widgets/w"
    assert service.asked[1].query == {"fieldManager": "wand", "force": "false", "dryRun": "All"}
    assert (applied["kind"], applied["namespace"]) == ("Widget", "n")


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        ({}, "manifest.apiVersion"),
        ({"apiVersion": "v1"}, "manifest.kind"),
        ({"apiVersion": "v1", "kind": "Pod"}, "manifest.metadata.name"),
        ({"apiVersion": "../x", "kind": "Pod"}, "manifest.apiVersion"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "../secrets/x"}}, "manifest.metadata.name"),
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "a/b"}},
            "manifest.metadata.namespace",
        ),
    ],
)
async def test_a_manifest_that_says_not_what_it_is_is_refused(manifest: dict[str, Any], field: str) -> None:
    async with serving() as service:
        with pytest.raises(Invalid) as caught:
            await cluster(service.url).execute("apply_manifest", {"manifest": manifest})
    assert (caught.value.field, service.asked) == (field, [])


# -- sign-in by certificate, and by kubeconfig -----------------------------------------------------------


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    """A certificate of localhost that is its own authority, and its key; the cluster's and ours."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return built.public_bytes(Encoding.PEM).decode(), key.private_bytes(*form).decode()


@asynccontextmanager
async def secure(pair: tuple[str, str], folder: Path) -> AsyncIterator[str]:
    """A cluster that lets in who has a certificate of its authority."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {}, "items": []})

    (folder / "pair.pem").write_text("".join(pair))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    context.load_verify_locations(cadata=pair[0])
    context.verify_mode = ssl.CERT_REQUIRED
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def kubeconfig(url: str, ca: str, user: dict[str, Any], **more: Any) -> SecretStr:
    held = {"server": url, "certificate-authority-data": encoded(ca), **more}
    told = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": held}],
        "users": [{"name": "u", "user": user}],
    }
    return SecretStr(json.dumps(told))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def listed(config: Any) -> Any:
    kubernetes = Kubernetes(config)
    try:
        return await kubernetes.execute("list_namespaces", {})
    finally:
        await kubernetes.cleanup()


async def test_a_certificate_signs_in_by_its_parts_and_by_kubeconfig(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    certificate, key = pair
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    ca = SecretStr(certificate)
    async with secure(pair, tmp_path) as url:
        parts = Kubernetes.Config(base_url=url, ca=ca, certificate=ca, key=SecretStr(key))
        whole = Kubernetes.Config(kubeconfig=kubeconfig(url, certificate, user), private_hosts=("localhost",))
        assert [await listed(config) for config in (parts, whole)] == [{"items": []}] * 2
        for config in (Kubernetes.Config(base_url=url, ca=ca), Kubernetes.Config(base_url=url)):
            with pytest.raises(Unavailable):  # it does not know us; we do not know it
                await listed(config)


@pytest.mark.parametrize(
    ("user", "more", "says"),
    [
        ({"exec": {"command": "aws"}}, {}, "wants a program to sign in"),
        ({"token": "t"}, {"insecure-skip-tls-verify": True}, "wants no check"),
        ({"client-key-data": "%"}, {}, "no base64"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(
    user: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    config = Kubernetes.Config(kubeconfig=kubeconfig("https://k.example", "", user, **more))
    with pytest.raises(Invalid, match=says):
        Kubernetes(config)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "base_url"),
        ({"kubeconfig": "apiVersion: v1"}, "kubeconfig"),
        ({"base_url": "https://k.example", "ca": "none"}, "ca"),
        ({"base_url": "https://k.example", "certificate": "none"}, "key"),
        ({"base_url": "https://k.example", "certificate": "none", "key": "none"}, "certificate"),
    ],
)
def test_settings_that_are_wrong_are_named(given: dict[str, str], field: str) -> None:
    opened: dict[str, Any] = {
        name: value if name == "base_url" else SecretStr(value) for name, value in given.items()
    }
    with pytest.raises(Invalid) as caught:
        Kubernetes(Kubernetes.Config(**opened))
    assert caught.value.field == field
