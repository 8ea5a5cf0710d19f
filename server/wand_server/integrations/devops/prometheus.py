"""Prometheus' HTTP API, and what is set at its Alertmanager."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from wand_proto.errors import Invalid
from wand_server.integrations.kit import (
    Basic,
    Bearer,
    DateTime,
    FirstOf,
    Integration,
    Nobody,
    Request,
    Resource,
    Sent,
    get,
    operation,
)
from wand_server.integrations.kit.http import Address

Query = Annotated[str, Field(min_length=1, description="PromQL, such as rate(http_requests_total[5m])")]
Time = Annotated[str | None, Field(description="RFC 3339, or seconds; now where left out")]
Most = Annotated[int, Field(ge=1, le=1000)]


class Series(Resource):
    """One series: its labels, and [time, value] once or for each step."""

    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class Result(Resource):
    kind: Annotated[str, Field(alias="resultType")] = ""
    result: list[Series] | tuple[float, str] = []


class Target(Resource):
    labels: dict[str, str] = {}
    url: Annotated[str, Field(alias="scrapeUrl")] = ""
    health: str = ""
    last_error: Annotated[str, Field(alias="lastError")] = ""
    last_scrape: Annotated[str, Field(alias="lastScrape")] = ""


class Alert(Resource):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    state: str = ""
    since: Annotated[str | None, Field(alias="activeAt")] = None
    value: str | None = None


class Rule(Resource):
    name: str = ""
    query: str = ""
    type: str = ""
    health: str = ""
    state: str | None = None
    last_error: Annotated[str | None, Field(alias="lastError")] = None
    alerts: list[Alert] = []


class Group(Resource):
    name: str = ""
    file: str = ""
    interval: float | None = None
    rules: list[Rule] = []


class Meaning(Resource):
    type: str = ""
    help: str = ""
    unit: str = ""


class Build(Resource):
    version: str = ""
    revision: str = ""
    branch: str = ""
    go_version: Annotated[str, Field(alias="goVersion")] = ""


class Matcher(Resource):
    name: str
    value: str
    is_regex: Annotated[bool, Field(alias="isRegex")] = False
    is_equal: Annotated[bool, Field(alias="isEqual")] = True


class State(Resource):
    state: str = ""


class Silence(Resource):
    id: str = ""
    matchers: list[Matcher] = []
    starts: Annotated[str, Field(alias="startsAt")] = ""
    ends: Annotated[str, Field(alias="endsAt")] = ""
    comment: str = ""
    created_by: Annotated[str, Field(alias="createdBy")] = ""
    status: State = State()


class Silenced(Resource):
    id: Annotated[str, Field(alias="silenceID")]


class Prometheus(Integration):
    """A Prometheus of yours."""

    class Config(Integration.Config):
        """Where it is, and its Alertmanager."""

        base_url: str = Field(description="such as http://prometheus.internal:9090")
        alertmanager_url: str = Field(default="", description="such as http://alerts.internal:9093")
        username: str = Field(default="", description="with password, where it asks for both")
        password: SecretStr | None = None
        token: SecretStr | None = None

    sign_in = FirstOf(((("token",), Bearer("token")), (("username", "password"), Basic()), ((), Nobody())))

    def _address(self) -> Address:
        address = super()._address()
        host = urlsplit(getattr(self.config, "alertmanager_url", "")).hostname
        return replace(address, hosts=(*address.hosts, *([host] if host else ())))

    async def health_check(self) -> None:
        await self.get_build_info()

    @get("/api/v1/query", place="data")
    async def query_instant(self, query: Query, time: Time = None) -> Result:
        """Evaluate a PromQL query now or at a moment: what is the error rate, how much memory is used."""

    @get("/api/v1/query_range", place="data")
    async def query_range(
        self,
        query: Query,
        start: Annotated[str, Field(description="RFC 3339, or seconds")],
        end: Annotated[str, Field(description="RFC 3339, or seconds")],
        step: Annotated[str, Field(pattern=r"^\d+(\.\d+)?(ms|[smhdwy])?$", description="such as 30s or 5m")],
    ) -> Result:
        """Evaluate a PromQL query over a span of time, a value for each step."""

    @get("/api/v1/series", place="data")
    async def find_series(
        self,
        selector: Annotated[str, Sent("match[]"), Field(description='such as up{job="web"}')],
        start: Time = None,
        end: Time = None,
        limit: Most = 200,
    ) -> list[dict[str, str]]:
        """Find time series by their labels."""

    @get("/api/v1/labels", place="data")
    async def list_labels(self, start: Time = None, end: Time = None) -> list[str]:
        """List the names of labels."""

    @get("/api/v1/label/{label_name}/values", place="data")
    async def list_label_values(
        self,
        label_name: Annotated[str, Field(description="__name__ lists the metrics")],
        start: Time = None,
        end: Time = None,
    ) -> list[str]:
        """List the values of a label, such as all jobs, or the names of all metrics."""

    @get("/api/v1/targets", place="data.activeTargets")
    async def list_targets(self, state: Literal["active", "any"] = "active") -> list[Target]:
        """List what is scraped, and which targets are down and why."""

    @get("/api/v1/rules", place="data.groups")
    async def list_rules(self, type: Literal["alert", "record"] | None = None) -> list[Group]:
        """List recording and alerting rules, with what fires of them."""

    @get("/api/v1/alerts", place="data.alerts")
    async def list_alerts(self) -> list[Alert]:
        """List the alerts that fire or are pending."""

    @get("/api/v1/metadata", place="data")
    async def get_metadata(self, metric: str | None = None, limit: Most = 200) -> dict[str, list[Meaning]]:
        """Tell what metrics mean: type, unit and help."""

    @get("/api/v1/status/buildinfo", place="data")
    async def get_build_info(self) -> Build:
        """Tell the version of Prometheus."""

    @operation(read_only=True)
    async def list_silences(
        self, filter: Annotated[str | None, Field(description='such as alertname="Down"')] = None
    ) -> list[Silence]:
        """List the silences of alerts."""
        query = {"filter": filter} if filter else {}
        asked = Request(method="GET", path=self._alertmanager("/api/v2/silences"), query=query)
        return [Silence.model_validate(one) for one in (await self.http.send(asked)).body or []]

    @operation()
    async def create_silence(
        self,
        matchers: Annotated[list[Matcher], Field(min_length=1)],
        comment: Annotated[str, Field(min_length=1, description="why")],
        minutes: Annotated[int, Field(ge=1, le=43_200)] = 60,
        created_by: str = "wand",
        starts: DateTime | None = None,
    ) -> Silenced:
        """Silence alerts for some time: those whose labels match notify nobody."""
        begin = datetime.fromisoformat(starts) if starts else datetime.now(UTC)
        silence: dict[str, Any] = {
            "matchers": [one.model_dump(by_alias=True) for one in matchers],
            "startsAt": begin.isoformat(),
            "endsAt": (begin + timedelta(minutes=minutes)).isoformat(),
            "comment": comment,
            "createdBy": created_by,
        }
        asked = Request(method="POST", path=self._alertmanager("/api/v2/silences"), json=silence)
        return Silenced.model_validate((await self.http.send(asked)).body)

    def _alertmanager(self, path: str) -> str:
        url = str(getattr(self.config, "alertmanager_url", "")).rstrip("/")
        if not url:
            raise Invalid("no Alertmanager is set up", hint="set alertmanager_url of this service")
        return url + path
