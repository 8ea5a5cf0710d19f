"""Snyk's API, version 1."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations import kit
from wand_server.integrations.kit import Resource, Sent, at, get, post

Org = Annotated[str, Field(description="id, from list_organizations")]
Severities = list[Literal["critical", "high", "medium", "low"]] | None
OfIssues = Annotated[Severities, Sent("filters.severities")]
OfThem = Annotated[Severities, Sent("filters.severity")]
Orgs = Annotated[list[str], Sent("filters.orgs")]
Nth = Annotated[int, Sent(where="query"), Field(ge=1)]
Begin = Annotated[str | None, Sent("filters.name")]
PROJECT = "/org/{org}/project/{project}"


class Named(Resource):
    id: str = ""
    name: str = ""
    email: str | None = None
    role: str | None = None


class Project(Named):
    origin: str | None = None
    type: str | None = None
    issues: Annotated[dict[str, int] | None, at("issueCountsBySeverity")] = None
    last_tested: Annotated[str | None, at("lastTestedDate")] = None


class Issue(Resource):  # what lies deeper here, a test of a package has under its name
    id: str = ""
    package: Annotated[str | None, at("pkgName")] = None
    versions: Annotated[list[str] | None, at("pkgVersions")] = None
    title: Annotated[str | None, at("issueData.title")] = None
    severity: Annotated[str | None, at("issueData.severity")] = None
    known_as: Annotated[dict[str, list[str]] | None, at("issueData.identifiers")] = None  # CVE, CWE
    fixed_in: Annotated[list[str] | None, at("fixInfo.fixedIn")] = None


class Dependency(Named):
    version: str | None = None
    latest: Annotated[str | None, at("latestVersion")] = None
    projects: list[Named] | None = None


class Snyk(kit.Integration):
    """Snyk, as a user or a service account."""

    class Config(kit.Integration.Config):
        token: SecretStr

    base_url = "https://api.snyk.io/v1"
    sign_in = kit.Bearer("token", word="token")
    rate = kit.Rate(27)

    async def health_check(self) -> None:
        await self.list_organizations()

    @get("/orgs", place="orgs")
    async def list_organizations(self) -> list[Named]:
        """List the organizations of Snyk that you are in."""

    @post("/org/{org}/projects", place="projects", read_only=True)
    async def list_projects(self, org: Org, name: Begin = None) -> list[Project]:
        """List the projects that are scanned for vulnerabilities, or those whose name begins so."""

    @get(PROJECT)
    async def get_project(self, org: Org, project: str) -> Project:
        """Look at a scanned project: its issues by severity, when it was tested."""

    @kit.delete(PROJECT)
    async def delete_project(self, org: Org, project: str) -> None:
        """Delete a project, so that it is scanned no more."""

    @post(f"{PROJECT}/aggregated-issues", place="issues", read_only=True)
    async def get_aggregated_issues(self, org: Org, project: str, severities: OfIssues = None) -> list[Issue]:
        """List the vulnerabilities of a project, and the versions that fix them."""

    @get(f"{PROJECT}/ignores")
    async def list_ignores(self, org: Org, project: str) -> dict[str, list[dict[str, Any]]]:
        """List the vulnerabilities of a project that are ignored: why, by whom, until when."""

    @get("/test/pip/{package}/{version}", place="issues.vulnerabilities")
    async def test_package(self, package: str, version: str, org: str | None = None) -> list[Issue]:
        """Tell which vulnerabilities a version of a Python package has."""

    @post("/org/{org}/dependencies", place="results", read_only=True, query={"perPage": "100"})
    async def list_dependencies(self, org: Org, severity: OfThem = None, page: Nth = 1) -> list[Dependency]:
        """List the open source packages that projects depend on, and in which."""

    @get("/org/{org}/members")
    async def list_members(self, org: Org) -> list[Named]:
        """List the people of an organization of Snyk, and their roles."""

    @post("/reporting/counts/issues/latest", place="results", read_only=True)
    async def get_issue_counts(
        self, orgs: Annotated[list[str], Sent("filters.orgs")]
    ) -> list[dict[str, Any]]:
        """Count the vulnerabilities of organizations."""
