"""Prometheus' operations against the real one, which watches itself, and a real Alertmanager."""

import json
import shutil
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from support.places import free_port
from support.servers import running
from wand_proto.errors import Invalid
from wand_server.integrations.devops.prometheus import Prometheus

PROGRAMS = ("prometheus", "prometheus-alertmanager")
_START_SECONDS = 60.0

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="no prometheus, or no alertmanager"),
]
RULES = """
groups:
  - name: ours
    rules:
      - {alert: Always, expr: vector(1), labels: {severity: page}, annotations: {summary: it is so}}
      - {record: ours:one, expr: vector(1)}
"""


def until_fits(url: str, fits: Callable[[bytes], Any]) -> None:
    """Wait until what it answers there fits."""
    give_up, body = time.monotonic() + _START_SECONDS, b""
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                body = answer.read()
        except OSError:
            body = b""
        if body and fits(body):
            return
        time.sleep(0.1)
    raise AssertionError(f"{url} says {body!r:.2000}")


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A Prometheus that has scraped itself and evaluated its rules, and an Alertmanager."""
    home = tmp_path_factory.mktemp("prometheus")
    metrics, alerts = (f"127.0.0.1:{free_port()}" for _ in PROGRAMS)
    (home / "rules.yml").write_text(RULES)
    (home / "prometheus.yml").write_text(
        f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs: [{{job_name: self, static_configs: [{{targets: ["{metrics}"]}}]}}]
"""
    )
    (home / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    words = ["prometheus", f"--config.file={home}/prometheus.yml", f"--web.listen-address={metrics}"]
    words.append(f"--storage.tsdb.path={home}/data")
    more = ["prometheus-alertmanager", f"--config.file={home}/alertmanager.yml", "--cluster.listen-address="]
    more += [f"--web.listen-address={alerts}", f"--storage.path={home}/alerts"]
    with ExitStack() as parts:
        parts.enter_context(running(words, f"http://{metrics}/-/ready", home))
        parts.enter_context(running(more, f"http://{alerts}/-/ready", home))
        asked = f"http://{metrics}/api/v1/query?query=up*on()ours:one"
        until_fits(asked, lambda body: json.loads(body)["data"]["result"])
        yield f"http://{metrics}", f"http://{alerts}"


@pytest.fixture
async def prometheus(urls: tuple[str, str]) -> AsyncIterator[Prometheus]:
    service = Prometheus(Prometheus.Config(base_url=urls[0], alertmanager_url=urls[1]))
    yield service
    await service.cleanup()


async def test_queries_are_evaluated(prometheus: Prometheus) -> None:
    now = await prometheus.execute("query_instant", {"query": 'up{job="self"}'})
    assert now["kind"] == "vector"
    (series,) = now["result"]
    assert (series["metric"]["job"], series["value"][1]) == ("self", "1")
    assert (await prometheus.execute("query_instant", {"query": "1+1"}))["result"][1] == "2"
    span = {"query": "vector(3)", "start": "1000", "end": "1060", "step": "30s"}
    (series,) = (await prometheus.execute("query_range", span))["result"]
    assert [value for _, value in series["values"]] == ["3", "3", "3"]
    with pytest.raises(Invalid, match="parse error"):
        await prometheus.execute("query_instant", {"query": "up{"})


async def test_what_is_there_is_listed(prometheus: Prometheus) -> None:
    assert "job" in await prometheus.execute("list_labels", {})
    assert "up" in await prometheus.execute("list_label_values", {"label_name": "__name__"})
    assert [one["job"] for one in await prometheus.execute("find_series", {"selector": "up"})] == ["self"]
    (target,) = await prometheus.execute("list_targets", {})
    assert target["health"] == "up"
    meaning = await prometheus.execute("get_metadata", {"metric": "go_goroutines"})
    assert meaning["go_goroutines"][0]["type"] == "gauge"
    assert (await prometheus.execute("get_build_info", {}))["version"]
    await prometheus.health_check()


async def test_alerts_and_rules_are_told(prometheus: Prometheus) -> None:
    (group,) = await prometheus.execute("list_rules", {})
    assert {one["name"] for one in group["rules"]} == {"Always", "ours:one"}
    (alert,) = await prometheus.execute("list_alerts", {})
    assert (alert["state"], alert["labels"]["severity"]) == ("firing", "page")


async def test_an_alert_is_silenced(prometheus: Prometheus) -> None:
    assert await prometheus.execute("list_silences", {}) == []
    given = {"matchers": [{"name": "alertname", "value": "Always"}], "comment": "it is known", "minutes": 5}
    made = await prometheus.execute("create_silence", given)
    (silence,) = await prometheus.execute("list_silences", {"filter": 'alertname="Always"'})
    assert (silence["id"], silence["comment"], silence["status"]["state"]) == (
        made["id"],
        "it is known",
        "active",
    )


async def test_without_an_alertmanager_there_are_no_silences(urls: tuple[str, str]) -> None:
    service = Prometheus(Prometheus.Config(base_url=urls[0]))
    with pytest.raises(Invalid) as caught:
        await service.execute("list_silences", {})
    assert "alertmanager_url" in caught.value.hint
