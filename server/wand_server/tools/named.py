"""Tools of their own for what is done at services most: each is there where its service is set up."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from wand_proto.errors import Invalid
from wand_server import awsnames
from wand_server.model import Call
from wand_server.ports import Integrations
from wand_server.tools.operations import (
    CalledAnswer,
    CallOperation,
    CallOperationWrite,
    OperationEntry,
    OperationTool,
    told,
)
from wand_server.tools.registry import Entry

_ALL = 10_000
GitVerb = Literal[
    "clone_repo", "get_status", "get_log", "get_diff", "show_commit", "list_branches", "create_branch",
    "checkout_ref", "commit_changes", "push_branch", "pull_branch", "blame_file", "list_tags", "grep_repo",
]  # fmt: skip


class NamedTool(OperationTool):
    """A tool for one service; where that is set up several times, `instance` says which is meant."""

    service: ClassVar[str]
    does: ClassVar[str]  # an operation of it, without which the tool is of no use
    answer = CalledAnswer
    destructive: ClassVar[bool] = True
    stands_for: ClassVar[str] = CallOperationWrite.name
    may_change: ClassVar[bool] = True

    instance: str = ""

    async def do(
        self, integrations: Integrations, call: Call, operation: str, given: dict[str, Any]
    ) -> CalledAnswer:
        """What an operation of that service gives back.

        Raises:
            Invalid: `instance` is none of that service.
        """
        instance = self.instance or self.service
        if instance.partition(":")[0] != self.service:
            raise Invalid(f"must be {self.service} or {self.service}:NAME", field="instance")
        full = f"{instance}.{operation}"
        return told(full, await integrations.run(call, full, given, may_change=self.may_change))


class ReadingTool(NamedTool):
    """One that changes nothing, for those who may only read."""

    destructive = False
    read_only = True
    stands_for = CallOperation.name
    may_change = False


class SlackNotify(NamedTool):
    """Post a message to Slack."""

    name = "slack_notify"
    title = "Notify in Slack"
    service, does = "slack", "send_message"

    channel: str = Field(description="its id or name")
    text: str
    thread_ts: str | None = None

    async def ask(self, integrations: Integrations, call: Call) -> CalledAnswer:
        given = {"channel": self.channel, "text": self.text, "thread_ts": self.thread_ts}
        kept = {name: value for name, value in given.items() if value is not None}
        return await self.do(integrations, call, "send_message", kept)


class GitOperation(NamedTool):
    """Do something with a git repository on the host."""

    name = "git_operation"
    title = "Use git"
    service, does = "git", "get_status"

    operation: GitVerb
    directory: str = ""
    arguments: dict[str, Any] = Field(default={}, description="as describe_operation says of git.…")

    async def ask(self, integrations: Integrations, call: Call) -> CalledAnswer:
        given = {"directory": self.directory, **self.arguments}
        return await self.do(integrations, call, self.operation, given)


class JenkinsTrigger(NamedTool):
    """Start a build of a Jenkins job."""

    name = "jenkins_trigger"
    title = "Start a Jenkins build"
    service, does = "jenkins", "trigger_build"

    job: str = Field(description="with its folders: team/web")
    parameters: Annotated[dict[str, str] | None, Field(description="{}: its defaults")] = None

    async def ask(self, integrations: Integrations, call: Call) -> CalledAnswer:
        given: dict[str, Any] = {"name": self.job}
        if self.parameters is not None:
            given["parameters"] = self.parameters
        return await self.do(integrations, call, "trigger_build", given)


class PostgresQuery(ReadingTool):
    """Read a PostgreSQL database with one SQL statement."""

    name = "postgres_query"
    title = "Query PostgreSQL"
    service, does = "postgresql", "query_rows"

    query: str
    parameters: list[Any] = Field(default=[], description="of $1, $2 …")
    limit: int = 100

    async def ask(self, integrations: Integrations, call: Call) -> CalledAnswer:
        given = {"query": self.query, "parameters": self.parameters, "limit": self.limit}
        return await self.do(integrations, call, "query_rows", given)


class AwsOperation(NamedTool):
    """Call an operation of an AWS service: S3, EC2, Lambda, any."""

    name = "aws_operation"
    title = "Use AWS"
    service, does = "aws", "read"

    aws_service: str = Field(alias="service")
    operation: str = Field(description="such as list_buckets")
    parameters: dict[str, Any] = Field(default={}, description="as aws.describe_action says")
    region: str | None = None

    async def ask(self, integrations: Integrations, call: Call) -> CalledAnswer:
        given = {"service": self.aws_service, "action": self.operation, "parameters": self.parameters}
        reads = awsnames.only_reads(self.aws_service, self.operation)
        more = {"region": self.region} if self.region else {}
        return await self.do(integrations, call, "read" if reads else "change", {**given, **more})


class WebSearch(ReadingTool):
    """Search the web."""

    name = "web_search"
    title = "Search the web"
    service, does = "web_search", "search_web"

    query: str
    limit: int = 10
    since: Literal["day", "week", "month", "year"] | None = None

    async def ask(self, integrations: Integrations, call: Call) -> CalledAnswer:
        given = {"query": self.query, "limit": self.limit, "since": self.since}
        return await self.do(integrations, call, "search_web", given)


class ApiRequest(NamedTool):
    """Ask an HTTP API that is set up here."""

    name = "api_request"
    title = "Ask an API"
    service, does = "api", "fetch"

    url: str = Field(description="or a path below its base_url")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    query: dict[str, Any] = Field(default={})
    body: Any = None

    async def ask(self, integrations: Integrations, call: Call) -> CalledAnswer:
        given = {"url": self.url, "method": self.method, "query": self.query}
        if self.method == "GET":
            return await self.do(integrations, call, "fetch", given)
        return await self.do(integrations, call, "change", {**given, "body": self.body})


_KINDS: tuple[type[NamedTool], ...] = (
    SlackNotify,
    GitOperation,
    JenkinsTrigger,
    PostgresQuery,
    AwsOperation,
    WebSearch,
    ApiRequest,
)


class NamedEntry(OperationEntry):
    """A tool of that kind, listed where its service is set up."""

    def __init__(self, kind: type[NamedTool], integrations: Integrations) -> None:
        super().__init__(kind, integrations)
        self._service, self._does, self._asked = kind.service, kind.does, integrations

    def has_subject(self) -> bool:
        """Whether its service is configured, under whichever name, and may do it."""
        if all(one.partition(":")[0] != self._service for one in self._asked.services()):
            return False
        offered = self._asked.offered(self._service, _ALL)
        return any(one.name.endswith(f".{self._does}") for one in offered)


def entries(integrations: Integrations) -> tuple[Entry, ...]:
    """The tools, bound to the integrations."""
    return tuple(NamedEntry(kind, integrations) for kind in _KINDS)
