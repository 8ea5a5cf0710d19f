"""Docker on the host, by its command line: the server holds no socket of it."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from wand_proto.errors import Broken, Denied, Invalid, NotFound, Unavailable
from wand_server.integrations.devops.docker.reading import (
    Executed,
    ImageListed,
    Info,
    Inspected,
    Listed,
    Logs,
    Made,
    Network,
    Pulled,
    Removed,
    Stats,
    Volume,
    inspected,
)
from wand_server.integrations.kit import (
    CommandIntegration,
    Directory,
    Operand,
    Ran,
    Word,
    operation,
    options,
)

_EACH = "--format={{json .}}"
_DAEMONS = re.compile(
    r"^(?:Error response from daemon|Error: No such|Cannot connect|error during connect)", re.MULTILINE
)
_NOT_HERE = re.compile(r"://|^git@|^github\.com/")
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _folder(text: str) -> str:
    if _NOT_HERE.search(text):
        raise ValueError("must be a folder on the host, not an address")
    return text


Container = Annotated[Operand, Field(description="its name or id")]
Image = Annotated[Operand, Field(description="such as nginx:1.27, or its id")]
Variables = Annotated[
    dict[Annotated[str, Field(pattern=_VARIABLE)], str],
    Field(description="they are on record: give no secrets"),
]
Filters = Annotated[tuple[Word, ...], Field(description="such as status=exited or label=app=web")]
Context = Annotated[Operand, AfterValidator(_folder), Field(description="the folder with the Dockerfile")]


class Docker(CommandIntegration):
    """The Docker of the host."""

    class Config(CommandIntegration.Config):
        """Nothing of its own."""

    program = "docker"
    meanings = (
        (r"No such (?:container|image|object|volume|network)|not found|does not exist", NotFound),
        (r"permission denied|unauthorized|access denied|denied:", Denied),
        (r"Cannot connect to the Docker daemon|no such host|connection refused|i/o timeout", Unavailable),
        (r"invalid reference format|invalid argument|unknown flag|bad format|cannot be empty", Invalid),
    )

    @operation(read_only=True)
    async def list_containers(
        self,
        *,
        all_states: Annotated[bool, Field(description="those that do not run as well")] = True,
        filters: Filters = (),
        limit: Annotated[int | None, Field(ge=1, le=1000)] = None,
    ) -> list[Listed]:
        """List containers: which run or are still up, since when, from which image, with which ports."""
        asked = options(all=all_states, filter=filters, last=limit)
        return [Listed.model_validate(one) for one in await self._each("ps", "--no-trunc", *asked)]

    @operation(read_only=True)
    async def inspect_container(self, container: Container) -> Inspected:
        """Inspect a container: its state, exit code, health, mounts, networks, ports and command."""
        found = (await self.run("inspect", "--type=container", container)).json()
        return inspected(found[0])

    @operation()
    async def create_container(
        self,
        image: Image,
        command: Annotated[tuple[Word, ...], Field(description="instead of the image's own")] = (),
        name: Word | None = None,
        environment: Variables = {},
        publish: Annotated[tuple[Word, ...], Field(description="ports, such as 127.0.0.1:8080:80")] = (),
        volumes: Annotated[tuple[Word, ...], Field(description="such as data:/var/lib/data:ro")] = (),
        network: Word | None = None,
        labels: dict[str, str] = {},
        user: Word | None = None,
        workdir: Word | None = None,
        entrypoint: Word | None = None,
        restart: Literal["no", "on-failure", "always", "unless-stopped"] | None = None,
        memory: Annotated[str | None, Field(pattern=r"^\d+[bkmg]?$", description="such as 512m")] = None,
        cpus: Annotated[float | None, Field(gt=0)] = None,
    ) -> Made:
        """Create a container from an image, without starting it; start_container does that."""
        limits = options(memory=memory, cpus=cpus, restart=restart)
        names = options(name=name, network=network, user=user, workdir=workdir, entrypoint=entrypoint)
        lists = options(env=_pairs(environment), label=_pairs(labels), publish=publish, volume=volumes)
        ran = await self.run("create", *limits, *names, *lists, image, *command)
        return Made(id=_last(ran))

    @operation(idempotent=True)
    async def start_container(self, container: Container) -> None:
        """Start a container that was created or stopped."""
        await self.run("start", container)

    @operation(idempotent=True)
    async def stop_container(
        self,
        container: Container,
        seconds: Annotated[int, Field(ge=0, le=600, description="after which it is killed")] = 10,
    ) -> None:
        """Stop a running container."""
        await self.run("stop", "-t", str(seconds), container)

    @operation(destructive=True, idempotent=True)
    async def remove_container(
        self,
        container: Container,
        *,
        force: Annotated[bool, Field(description="though it runs")] = False,
        volumes: Annotated[bool, Field(description="and its anonymous volumes")] = False,
    ) -> None:
        """Remove a container for good."""
        await self.run("rm", *options(force=force, volumes=volumes), container)

    @operation(read_only=True)
    async def get_container_logs(
        self,
        container: Container,
        tail: Annotated[int, Field(ge=1, le=10_000, description="the last lines")] = 200,
        since: Annotated[Word | None, Field(description="such as 10m, or a time")] = None,
        until: Word | None = None,
        *,
        timestamps: bool = False,
    ) -> Logs:
        """Read the logs of a container: the output it printed, and why it crashed."""
        asked = options(tail=tail, since=since, until=until, timestamps=timestamps)
        ran = await self.run("logs", *asked, container)
        return Logs(stdout=ran.text, stderr=ran.stderr)

    @operation(destructive=True)
    async def exec_in_container(
        self,
        container: Container,
        command: Annotated[tuple[Word, ...], Field(min_length=1, description='such as ["ls", "-l"]')],
        user: Word | None = None,
        workdir: Word | None = None,
        environment: Variables = {},
    ) -> Executed:
        """Run a command inside a running container, and give its exit code and what it printed."""
        asked = options(user=user, workdir=workdir, env=_pairs(environment))
        ran = await self.run("exec", *asked, container, *command, good=None)
        if ran.exit_code and _DAEMONS.search(ran.stderr):
            raise self.failure(ran)
        return Executed(exit_code=ran.exit_code, stdout=ran.text, stderr=ran.stderr)

    @operation(read_only=True)
    async def get_container_stats(self, containers: tuple[Container, ...] = ()) -> list[Stats]:
        """Tell how much processor, memory, network and disk running containers use now."""
        found = await self._each("stats", "--no-stream", "--no-trunc", words=containers)
        return [Stats.model_validate(one) for one in found]

    @operation(read_only=True)
    async def list_images(
        self, repository: Operand | None = None, filters: Filters = (), *, all_layers: bool = False
    ) -> list[ImageListed]:
        """List the images on the host, with tags, digests and sizes."""
        asked = options(no_trunc=True, digests=True, all=all_layers, filter=filters)
        found = await self._each("images", *asked, words=(repository,) if repository else ())
        return [ImageListed.model_validate(one) for one in found]

    @operation(idempotent=True)
    async def pull_image(self, image: Image, platform: Word | None = None) -> Pulled:
        """Pull an image: fetch it, or its latest version, from a registry onto the host."""
        ran = await self.run("pull", "--quiet", *options(platform=platform), image)
        return Pulled(reference=ran.lines()[-1] if ran.lines() else image)

    @operation()
    async def build_image(
        self,
        context: Context = ".",
        tags: Annotated[tuple[Word, ...], Field(description="such as web:1.2")] = (),
        dockerfile: Annotated[Word | None, Field(description="if not Dockerfile in the context")] = None,
        build_args: Variables = {},
        target: Annotated[Word | None, Field(description="a stage of the Dockerfile")] = None,
        network: Literal["default", "none"] = "default",
        directory: Directory = "",
        *,
        pull: Annotated[bool, Field(description="look for newer base images")] = False,
        no_cache: bool = False,
    ) -> Made:
        """Build an image from a Dockerfile."""
        flags = options(quiet=True, pull=pull, no_cache=no_cache, network=network, target=target)
        more = options(tag=tags, file=dockerfile, build_arg=_pairs(build_args))
        ran = await self.run("build", *flags, *more, context, directory=directory)
        return Made(id=_last(ran))

    @operation(destructive=True, idempotent=True)
    async def remove_image(
        self, image: Image, *, force: Annotated[bool, Field(description="though it has other tags")] = False
    ) -> Removed:
        """Remove an image from the host."""
        lines = (await self.run("rmi", *options(force=force), image)).lines()
        told = [line.partition(": ") for line in lines]
        return Removed(
            untagged=tuple(what for kind, _, what in told if kind == "Untagged"),
            deleted=tuple(what for kind, _, what in told if kind == "Deleted"),
        )

    @operation(read_only=True)
    async def list_networks(self, filters: Filters = ()) -> list[Network]:
        """List Docker's networks."""
        found = await self._each("network", "ls", "--no-trunc", *options(filter=filters))
        return [Network.model_validate(one) for one in found]

    @operation(read_only=True)
    async def list_volumes(self, filters: Filters = ()) -> list[Volume]:
        """List Docker's volumes."""
        found = await self._each("volume", "ls", *options(filter=filters))
        return [Volume.model_validate(one) for one in found]

    @operation(read_only=True)
    async def get_system_info(self) -> Info:
        """Tell how Docker is on this host: its version, containers, images, and what it warns of."""
        found = next(iter(await self._each("info")), {})
        if not found.get("ServerVersion"):
            raise self._unreachable(found.get("ServerErrors") or ())
        return Info.model_validate(found)

    async def _each(self, *asked: str, words: Iterable[str] = ()) -> list[dict[str, Any]]:
        """What docker lists, an object a line."""
        return list((await self.run(*asked, _EACH, *words)).json_lines())

    @staticmethod
    def _unreachable(errors: Iterable[str]) -> Unavailable:
        return Unavailable(f"docker reaches no daemon: {'; '.join(errors)[:500]}")


def _last(ran: Ran) -> str:
    """The last line, in which docker tells what it has made.

    Raises:
        Broken: it has told nothing.
    """
    lines = ran.lines()
    if not lines:
        raise Broken("docker does not tell what it has made")
    return lines[-1]


def _pairs(given: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in given.items()]
