"""Kubernetes' operations that its document cannot try, and more, against kmock's emulator of a cluster."""

import json
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from support.places import free_port
from support.servers import PROGRAMS, running
from wand_proto.errors import NotFound
from wand_server.integrations.devops.kubernetes import Kubernetes

KMOCK = next(PROGRAMS.parent.glob("lib/python*/site-packages/kmock"), None)
SERVE = """
import asyncio, sys
import kmock
async def serve():
    async with kmock.KubernetesEmulator() as cluster, kmock.Server(cluster, port=int(sys.argv[1])):
        verbs = ["get", "list", "patch"]
        cluster.resources["apps/v1/deployments"] = {"kind": "Deployment", "namespaced": True, "verbs": verbs}
        cluster.resources["ex.io/v1/widgets"] = {"kind": "Widget", "namespaced": True, "verbs": verbs}
        await asyncio.Event().wait()
asyncio.run(serve())
"""
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
WIDGETS = "/apis/ex.io/v1/namespaces/lab/widgets"

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(KMOCK is None, reason="kmock is not installed: ./dev services"),
]


def given(url: str, told: dict[str, Any]) -> None:
    """Something that is in the cluster already."""
    request = urllib.request.Request(url, json.dumps(told).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=5).close()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Kubernetes]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running([str(PROGRAMS / "python"), "-c", SERVE, str(port)], f"{url}/version", tmp_path):
        given(
            url + DEPLOYMENTS, {"metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 1}}
        )
        given(url + WIDGETS, {"metadata": {"name": "w", "namespace": "lab"}, "spec": {"size": 1}})
        one = Kubernetes(Kubernetes.Config(base_url=url, token=SecretStr("token-of-a-test")))
        await one.health_check()
        yield one
        await one.cleanup()


async def test_kinds_are_told_by_group(cluster: Kubernetes) -> None:
    groups = await cluster.execute("list_resources", {})
    assert {one["api_version"] for one in groups} == {"v1", "apps/v1", "ex.io/v1"}
    (kind,) = await cluster.execute("list_resources", {"api_version": "ex.io/v1"})
    assert (kind["name"], kind["kind"], kind["is_namespaced"]) == ("widgets", "Widget", True)


async def test_a_manifest_of_any_kind_is_applied(cluster: Kubernetes) -> None:
    named = {"metadata": {"name": "w", "namespace": "lab"}, "spec": {"size": 2}}
    manifest = {"apiVersion": "ex.io/v1", "kind": "Widget", **named}
    applied = await cluster.execute("apply_manifest", {"manifest": manifest})
    assert (applied["kind"], applied["name"], applied["namespace"]) == ("Widget", "w", "lab")
    with pytest.raises(NotFound, match="knows no Gadget"):
        await cluster.execute("apply_manifest", {"manifest": {**manifest, "kind": "Gadget"}})


async def test_a_deployment_is_scaled_and_found_in_every_namespace(cluster: Kubernetes) -> None:
    scaled = await cluster.execute("scale_deployment", {"name": "web", "replicas": 3})
    assert scaled["replicas"] == 3
    page = await cluster.execute("list_deployments", {"namespace": "*"})
    assert [(one["name"], one["replicas"]) for one in page["items"]] == [("web", 3)]
    with pytest.raises(NotFound):
        await cluster.execute("scale_deployment", {"name": "none", "replicas": 3})
