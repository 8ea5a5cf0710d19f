"""Terraform on the host, as its own program; OpenTofu where the settings say so."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from wand_proto.errors import NotFound, Unavailable, WandError
from wand_server.integrations.kit import (
    CommandIntegration,
    Directory,
    Operand,
    Ran,
    Resource,
    Word,
    operation,
)
from wand_server.integrations.kit.secrets import Strike

_PLAN = "wand.tfplan"
_PLAIN = ("-input=false", "-no-color")
_SHORTEST = 6  # characters of what is struck out wherever it stands
_DIFFERS = 3  # exit code of fmt -check

Targets = Annotated[tuple[Word, ...], Field(description="only these addresses, such as aws_instance.web")]
Variables = Annotated[
    dict[str, str], Field(description="they are on record: give no secrets, those belong into a file there")
]


class Diagnostic(Resource):
    severity: str
    summary: str = ""
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int | None = None


class Initialized(Resource):
    said: str


class Validated(Resource):
    valid: bool
    diagnostics: tuple[Diagnostic, ...] = ()


class Formatted(Resource):
    files: tuple[str, ...]


class Change(Resource):
    """One resource, and what becomes of it."""

    address: str
    action: str
    reason: str = ""


class Counts(Resource):
    add: int = 0
    change: int = 0
    remove: int = 0
    import_: Annotated[int, Field(alias="import")] = 0


class Planned(Resource):
    """What would change; apply_plan does it."""

    changes: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()  # what has changed by other hands
    counts: Counts = Counts()
    plan_file: str = ""
    warnings: tuple[Diagnostic, ...] = ()


class Applied(Resource):
    done: tuple[Change, ...] = ()
    counts: Counts = Counts()
    outputs: dict[str, Any] = {}
    warnings: tuple[Diagnostic, ...] = ()


class Shown(Resource):
    """A resource as the state has it; what is sensitive is struck out."""

    address: str
    type: str = ""
    provider_name: str = ""
    values: dict[str, Any] = {}


class State(Resource):
    resources: tuple[Shown, ...] = ()
    outputs: dict[str, Any] = {}


class Versions(Resource):
    terraform_version: str
    platform: str = ""
    provider_selections: dict[str, str] = {}


class Workspaces(Resource):
    current: str = ""
    names: tuple[str, ...] = ()


class Terraform(CommandIntegration):
    """Configurations in folders on the host."""

    class Config(CommandIntegration.Config):
        """Which of the two it is."""

        program: Literal["terraform", "tofu"] = Field(
            default="terraform", description="which of the two the host has"
        )

    program = "terraform"
    meanings = (
        (r"does(?:n't| not) exist|No state file|not found|does not have", NotFound),
        (r"Failed to (?:query|install|request)|could not connect|dial tcp|timeout", Unavailable),
    )

    def program_name(self) -> str:
        return str(getattr(self.config, "program", self.program))

    def failure(self, ran: Ran) -> WandError:
        """With -json its errors are lines of its output; without, they stand in frames."""
        wrong = [one for one in _diagnostics(_events(ran)) if one.severity == "error"]
        told = "; ".join(f"{one.summary}: {one.detail}".strip(": ") for one in wrong)
        plain = told or _unframed(ran.stderr) or ran.text
        return super().failure(Ran(exit_code=ran.exit_code, stdout=b"", stderr=plain))

    @operation(idempotent=True)
    async def init_workspace(
        self,
        directory: Directory = "",
        *,
        upgrade: Annotated[bool, Field(description="take newer providers and modules")] = False,
        reconfigure: bool = False,
        backend: Annotated[bool, Field(description="set up where the state is kept")] = True,
    ) -> Initialized:
        """Initialize a folder of Terraform: fetch its providers and modules, and set up its state."""
        asked = _flags(upgrade=upgrade, reconfigure=reconfigure)
        more = () if backend else ("-backend=false",)
        ran = await self.run("init", *_PLAIN, *asked, *more, directory=directory)
        return Initialized(said=ran.text.strip()[-2000:])

    @operation(read_only=True)
    async def validate_config(self, directory: Directory = "") -> Validated:
        """Check whether a Terraform configuration is valid, and say what is wrong and where."""
        ran = await self.run("validate", "-json", "-no-color", directory=directory, good={0, 1})
        found = ran.json()
        diagnostics = tuple(map(_diagnostic, found.get("diagnostics", ())))
        return Validated(valid=bool(found.get("valid")), diagnostics=diagnostics)

    @operation(idempotent=True)
    async def format_config(
        self, directory: Directory = "", *, recursive: bool = False, check_only: bool = False
    ) -> Formatted:
        """Format Terraform files, or only tell which are not formatted."""
        asked = _flags(recursive=recursive, check=check_only)
        ran = await self.run("fmt", "-no-color", *asked, directory=directory, good={0, _DIFFERS})
        return Formatted(files=tuple(ran.lines()))

    @operation(idempotent=True)
    async def plan_changes(
        self,
        directory: Directory = "",
        plan_file: Annotated[Operand, Field(description="written there, for apply_plan")] = _PLAN,
        targets: Targets = (),
        variables: Variables = {},
        variable_files: tuple[Word, ...] = (),
        *,
        destroy: Annotated[bool, Field(description="plan to destroy everything")] = False,
        refresh_only: Annotated[bool, Field(description="only take up what others changed")] = False,
    ) -> Planned:
        """Plan: say which infrastructure would be created, changed or destroyed, without doing it."""
        asked = (*_flags(destroy=destroy, refresh_only=refresh_only), *_given(targets, variables))
        files = (f"-var-file={each}" for each in variable_files)
        words = ("plan", "-json", *_PLAIN, f"-out={plan_file}", *asked, *files)
        events = _events(await self.run(*words, directory=directory))
        return Planned(
            changes=tuple(_changes(events, "planned_change")),
            drift=tuple(_changes(events, "resource_drift")),
            counts=_counts(events),
            plan_file=plan_file,
            warnings=tuple(_diagnostics(events)),
        )

    @operation(destructive=True)
    async def apply_plan(self, directory: Directory = "", plan_file: Operand = _PLAN) -> Applied:
        """Apply a plan that plan_changes has written: create, change and destroy what it says, no more."""
        words = ("apply", "-json", *_PLAIN, plan_file)
        return _applied(await self.run(*words, directory=directory))

    @operation(destructive=True)
    async def destroy_resources(
        self,
        directory: Directory = "",
        targets: Targets = (),
        variables: Variables = {},
    ) -> Applied:
        """Destroy the infrastructure of a configuration, all of it or some resources."""
        words = ("destroy", "-auto-approve", "-json", *_PLAIN, *_given(targets, variables))
        return _applied(await self.run(*words, directory=directory))

    @operation(read_only=True)
    async def show_state(
        self,
        directory: Directory = "",
        plan_file: Annotated[Operand | None, Field(description="show what this plan leads to")] = None,
        addresses: Annotated[tuple[str, ...], Field(description="only what begins with one of them")] = (),
    ) -> State:
        """Show the resources in the state with their values, or those of a plan."""
        named = (plan_file,) if plan_file else ()
        told = (await self.run("show", "-json", "-no-color", *named, directory=directory)).json()
        values = told.get("planned_values" if plan_file else "values") or {}
        resources = list(_resources(values.get("root_module") or {}))
        outputs = values.get("outputs") or {}
        strike = Strike(_sensitive(resources, outputs))
        kept = (one for one in resources if not addresses or one["address"].startswith(addresses))
        shown = tuple(Shown.model_validate(strike.out_of_value(_visible(one))) for one in kept)
        return State(resources=shown, outputs=strike.out_of_value(_outputs(outputs)))

    @operation(read_only=True)
    async def list_state(
        self, directory: Directory = "", addresses: Annotated[tuple[Operand, ...], Field()] = ()
    ) -> list[str]:
        """List the addresses of the resources that Terraform manages."""
        return (await self.run("state", "list", *addresses, directory=directory)).lines()

    @operation(read_only=True)
    async def get_outputs(self, directory: Directory = "") -> dict[str, Any]:
        """Read the outputs that Terraform gave out, such as addresses; sensitive ones are struck out."""
        return _outputs((await self.run("output", "-json", "-no-color", directory=directory)).json())

    @operation(read_only=True)
    async def list_providers(self, directory: Directory = "") -> Versions:
        """Tell the version of Terraform and of each provider that a folder uses."""
        return Versions.model_validate((await self.run("version", "-json", directory=directory)).json())

    @operation()
    async def import_resource(
        self,
        address: Annotated[Operand, Field(description="where, such as aws_instance.web")],
        id: Annotated[Operand, Field(description="of the thing that exists already")],
        directory: Directory = "",
        variables: Variables = {},
    ) -> None:
        """Import something that exists already into the state, so that Terraform manages it."""
        words = ("import", *_PLAIN, *_given((), variables), address, id)
        await self.run(*words, directory=directory)

    @operation(read_only=True)
    async def list_workspaces(self, directory: Directory = "") -> Workspaces:
        """List the workspaces of Terraform, and say which is selected."""
        lines = (await self.run("workspace", "list", directory=directory)).lines()
        current = next((line[2:] for line in lines if line.startswith("* ")), "")
        return Workspaces(current=current, names=tuple(line[2:] for line in lines))

    @operation(idempotent=True)
    async def select_workspace(
        self, name: Operand, directory: Directory = "", *, create: bool = False
    ) -> Workspaces:
        """Switch to another workspace of Terraform."""
        await self.run("workspace", "select", *_flags(or_create=create), name, directory=directory)
        return await self.list_workspaces(directory=directory)


def _flags(**given: bool) -> Iterator[str]:
    return (f"-{name.replace('_', '-')}" for name, value in given.items() if value)


def _given(targets: Iterable[str], variables: Mapping[str, str]) -> Iterator[str]:
    yield from (f"-target={each}" for each in targets)
    yield from (f"-var={name}={value}" for name, value in variables.items())


def _events(ran: Ran) -> list[dict[str, Any]]:
    return [event for event in ran.json_lines() if "type" in event]


def _changes(events: Iterable[Mapping[str, Any]], kind: str) -> Iterator[Change]:
    for event in events:
        if event["type"] == kind:
            told = event["change"]
            action, reason = told.get("action", ""), told.get("reason", "")
            yield Change(address=told["resource"]["addr"], action=action, reason=reason)


def _counts(events: Iterable[Mapping[str, Any]]) -> Counts:
    told = [event["changes"] for event in events if event["type"] == "change_summary"]
    return Counts.model_validate(told[-1]) if told else Counts()


def _applied(ran: Ran) -> Applied:
    events = _events(ran)
    outputs = [event["outputs"] for event in events if event["type"] == "outputs"]
    hooks = [event["hook"] for event in events if event["type"] == "apply_complete"]
    return Applied(
        done=tuple(Change(address=one["resource"]["addr"], action=one.get("action", "")) for one in hooks),
        counts=_counts(events),
        outputs=_outputs(outputs[-1]) if outputs else {},
        warnings=tuple(_diagnostics(events)),
    )


def _diagnostics(events: Iterable[Mapping[str, Any]]) -> Iterator[Diagnostic]:
    return (_diagnostic(event["diagnostic"]) for event in events if event["type"] == "diagnostic")


def _diagnostic(told: Mapping[str, Any]) -> Diagnostic:
    place = told.get("range") or {}
    return Diagnostic.model_validate(
        {**told, "file": place.get("filename", ""), "line": (place.get("start") or {}).get("line")}
    )


def _resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources") or ()
    for inner in module.get("child_modules") or ():
        yield from _resources(inner)


def _visible(resource: Mapping[str, Any]) -> dict[str, Any]:
    values = _without(resource.get("values") or {}, resource.get("sensitive_values"))
    return {**resource, "values": values}


def _without(value: Any, marks: Any) -> Any:
    """A value without what is marked: `marks` has its form, and true where something is sensitive."""
    if marks is True:
        return "[sensitive]"
    if isinstance(value, dict) and isinstance(marks, dict):
        return {name: _without(inner, marks.get(name)) for name, inner in value.items()}
    if isinstance(value, list) and isinstance(marks, list):
        return [_without(inner, marks[at] if at < len(marks) else None) for at, inner in enumerate(value)]
    return value


def _outputs(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "[sensitive]" if one.get("sensitive") else one.get("value") for name, one in told.items()}


def _sensitive(resources: Iterable[Mapping[str, Any]], outputs: Mapping[str, Any]) -> Iterator[str]:
    """The texts that are marked somewhere: what a provider computes of them is not marked itself."""
    for resource in resources:
        yield from _marked(resource.get("values"), resource.get("sensitive_values"))
    for one in outputs.values():
        yield from _marked(one.get("value"), one.get("sensitive"))


def _marked(value: Any, marks: Any) -> Iterator[str]:
    if marks is True and isinstance(value, str):
        yield value
    elif isinstance(value, dict) and marks:
        for name, inner in value.items():
            yield from _marked(inner, marks is True or (isinstance(marks, dict) and marks.get(name)))
    elif isinstance(value, list) and marks:
        for at, inner in enumerate(value):
            below = isinstance(marks, list) and at < len(marks) and marks[at]
            yield from _marked(inner, marks is True or below)


def _unframed(text: str) -> str:
    """What it says on a terminal, without the frame around it."""
    return " ".join(text.translate(str.maketrans("╷│╵", "   ")).split())
