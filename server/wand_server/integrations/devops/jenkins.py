"""Jenkins' remote access API."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from wand_proto.errors import Denied
from wand_server.integrations.kit import (
    Integration,
    Request,
    Resource,
    Sent,
    SignIn,
    get,
    operation,
    post,
)
from wand_server.integrations.kit.http import Signer
from wand_server.integrations.kit.oauth import answer_of
from wand_server.integrations.kit.request import segments
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send, secret

_XML = "application/xml"
_NO_CRUMBS = 404  # this Jenkins asks for none
_DETAIL = "name,fullName,url,color,description,buildable,inQueue,nextBuildNumber"
_INNER = "lastBuild[number,url,result],healthReport[score,description],jobs[name,url,color]"


def _path_of(name: str) -> str:
    """The path of a job in folders: `a/b` is /job/a/job/b."""
    return "/job/".join(name.strip("/").split("/"))


JobName = Annotated[
    str,
    Field(min_length=1, description="with its folders: team/web"),
    AfterValidator(_path_of),
]
ConfigXml = Annotated[str, Field(min_length=1, description="config.xml"), Sent(where="whole_body")]


class BuildRef(Resource):
    number: int | None = None
    url: str | None = None
    result: str | None = None


class JobRef(Resource):
    name: str = ""
    url: str | None = None
    color: str | None = None  # blue: good; red: failed; _anime: runs


class Health(Resource):
    score: int | None = None
    description: str | None = None


class Job(Resource):
    name: str = ""
    full_name: Annotated[str | None, Field(alias="fullName")] = None
    url: str | None = None
    color: str | None = None
    description: str | None = None
    buildable: bool | None = None
    in_queue: Annotated[bool | None, Field(alias="inQueue")] = None
    next_build_number: Annotated[int | None, Field(alias="nextBuildNumber")] = None
    last_build: Annotated[BuildRef | None, Field(alias="lastBuild")] = None
    health: Annotated[list[Health], Field(alias="healthReport")] = []
    jobs: list[JobRef] = []  # of a folder


class Build(Resource):
    number: int | None = None
    url: str | None = None
    building: bool | None = None
    result: str | None = None  # SUCCESS, FAILURE, UNSTABLE, ABORTED; none while it runs
    duration_ms: Annotated[int | None, Field(alias="duration")] = None
    started_ms: Annotated[int | None, Field(alias="timestamp")] = None
    description: str | None = None
    built_on: Annotated[str | None, Field(alias="builtOn")] = None
    full_name: Annotated[str | None, Field(alias="fullDisplayName")] = None


class Triggered(Resource):
    """Where the build waits until it starts."""

    queue_url: str = ""


class Server(Resource):
    mode: str | None = None
    description: Annotated[str | None, Field(alias="nodeDescription")] = None
    executors: Annotated[int | None, Field(alias="numExecutors")] = None
    is_quieting_down: Annotated[bool | None, Field(alias="quietingDown")] = None
    jobs: list[JobRef] = []


class Waiting(Resource):
    id: int | None = None
    why: str | None = None
    blocked: bool | None = None
    stuck: bool | None = None
    since_ms: Annotated[int | None, Field(alias="inQueueSince")] = None
    task: JobRef | None = None


class Queue(Resource):
    items: list[Waiting] = []


class Crumb(Resource):
    """A token that a change needs where one signs in with a password."""

    crumb: str = ""
    field: Annotated[str, Field(alias="crumbRequestField")] = ""


class Computer(Resource):
    name: Annotated[str, Field(alias="displayName")] = ""
    is_offline: Annotated[bool | None, Field(alias="offline")] = None
    why_offline: Annotated[str | None, Field(alias="offlineCauseReason")] = None
    is_idle: Annotated[bool | None, Field(alias="idle")] = None
    executors: Annotated[int | None, Field(alias="numExecutors")] = None


class Computers(Resource):
    busy: Annotated[int | None, Field(alias="busyExecutors")] = None
    total: Annotated[int | None, Field(alias="totalExecutors")] = None
    computers: Annotated[list[Computer], Field(alias="computer")] = []


@dataclass(frozen=True, slots=True)
class Crumbed(SignIn):
    """A user with an API token; or with a password, and then a crumb of the same session for each change."""

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        word = secret(settings, "token") or secret(settings, "password")
        pair = b64encode(f"{secret(settings, 'user')}:{word}".encode()).decode()
        strike.add(pair)
        return _Signer(f"Basic {pair}", send if not secret(settings, "token") else None, strike)


class _Signer:
    def __init__(self, basic: str, send: Send | None, strike: Strike) -> None:
        self._basic, self._send, self._strike = basic, send, strike

    async def sign(self, request: Request) -> None:
        request.headers["Authorization"] = self._basic
        if self._send is None or request.method == "GET":
            return
        asking = Request(method="GET", path="/crumbIssuer/api/json")
        asking.headers["Authorization"] = self._basic
        answered = await answer_of(self._send, asking, self._strike, good=(_NO_CRUMBS,))
        if answered.status == _NO_CRUMBS:
            return
        if not isinstance(answered.body, dict):
            raise Denied("no sign-in: Jenkins answers with no crumb")
        told = answered.body
        request.headers[str(told.get("crumbRequestField", "Jenkins-Crumb"))] = str(told.get("crumb", ""))
        request.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in answered.cookies.items())

    async def renew(self) -> bool:
        """There is nothing newer."""
        return False


class Jenkins(Integration):
    """A Jenkins of yours."""

    class Config(Integration.Config):
        """Where it is, and who we are there."""

        base_url: str = Field(description="such as https://jenkins.example")
        user: str = Field(description="the user's id")
        token: SecretStr | None = Field(default=None, description="an API token of that user")
        password: SecretStr | None = Field(default=None, description="where there is no API token")

    sign_in = Crumbed()

    async def health_check(self) -> None:
        await self.get_server_info()

    @get("/api/json", fixed={"tree": "mode,nodeDescription,numExecutors,quietingDown,jobs[name,url,color]"})
    async def get_server_info(self) -> Server:
        """Tell how Jenkins is, and list its jobs and folders."""

    @get("/job/{+name}/api/json", fixed={"tree": f"{_DETAIL},{_INNER}"})
    async def get_job(self, name: JobName) -> Job:
        """Look at a job: whether it is healthy, its last build, whether it waits; of a folder, its jobs."""

    @operation()
    async def trigger_build(
        self,
        name: JobName,
        parameters: Annotated[
            dict[str, str] | None, Field(description="of a job that takes some; {} for its defaults")
        ] = None,
    ) -> Triggered:
        """Start a build of a job, with parameters if it takes some."""
        start = "build" if parameters is None else "buildWithParameters"
        path = f"/job/{segments('name', name, many=True)}/{start}"
        request = Request(method="POST", path=path, form=dict(parameters) if parameters else None)
        return Triggered(queue_url=(await self.http.send(request)).headers.get("location", ""))

    @get("/job/{+name}/lastBuild/api/json")
    async def get_last_build(self, name: JobName) -> Build:
        """Tell how the last build of a job went, or whether it still runs."""

    @get("/job/{+name}/{build}/logText/progressiveText")
    async def get_build_log(
        self,
        name: JobName,
        build: Annotated[
            str,
            Field(pattern="^([0-9]+|last[A-Za-z]*Build)$", description="its number, or as lastFailedBuild"),
        ] = "lastBuild",
        start: Annotated[int, Field(ge=0, description="bytes to leave out")] = 0,
    ) -> str:
        """Read what a build printed (its console output), also while it runs."""

    @get("/job/{+name}/config.xml")
    async def get_job_config(self, name: JobName) -> str:
        """Read the configuration of a job, as XML."""

    @post("/job/{+name}/config.xml", media_type=_XML, idempotent=True)
    async def update_job_config(self, name: JobName, config: ConfigXml) -> None:
        """Replace the configuration of a job."""

    @operation()
    async def create_job(
        self,
        name: Annotated[str, Field(pattern=r"^[^/]+(/[^/]+)*$", description="with its folders: team/web")],
        config: Annotated[str, Field(min_length=1, description="config.xml")],
    ) -> None:
        """Create a job from its configuration in XML."""
        folder, _, last = name.rpartition("/")
        path = f"/job/{segments('name', _path_of(folder), many=True)}/createItem" if folder else "/createItem"
        request = Request(method="POST", path=path, query={"name": last}, body=config.encode())
        request.headers["Content-Type"] = _XML
        await self.http.send(request)

    @post("/job/{+name}/enable", idempotent=True)
    async def enable_job(self, name: JobName) -> None:
        """Enable a job, so that it builds again."""

    @post("/job/{+name}/disable", idempotent=True)
    async def disable_job(self, name: JobName) -> None:
        """Disable a job, to pause it: it stays, and is not built."""

    @post("/job/{+name}/doDelete", destructive=True)
    async def delete_job(self, name: JobName) -> None:
        """Delete a job with all its builds."""

    @get("/queue/api/json")
    async def get_queue(self) -> Queue:
        """List the builds that wait, and what for."""

    @get("/crumbIssuer/api/json")
    async def get_crumb(self) -> Crumb:
        """Ask for a crumb, the token against forged requests."""

    @get("/computer/api/json", fixed={"depth": 1})
    async def list_computers(self) -> Computers:
        """List the nodes that build (agents), which are offline, and how busy they are."""
