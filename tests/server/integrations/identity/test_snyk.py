"""Snyk: an issue reads the same in a project and in a test of a package; where its filters lie."""

import json
from typing import Any

from pydantic import SecretStr

from support.foreign import Asked, Says, serving
from wand_server.integrations.identity.snyk import Snyk


async def asked(body: Any, operation: str, **given: Any) -> tuple[Any, Asked]:
    """What an operation gives back of that answer, and the request."""
    async with serving(Says(body=body)) as service:
        snyk = Snyk(Snyk.Config(base_url=service.url, token=SecretStr("t")))
        try:
            return await snyk.execute(operation, given), service.asked[-1]
        finally:
            await snyk.cleanup()


async def test_issues_of_a_project_are_filtered_and_read() -> None:
    deep = {
        "id": "SNYK-1",
        "pkgName": "ms",
        "issueData": {"title": "ReDoS", "severity": "high", "identifiers": {"CVE": ["CVE-1"]}},
        "fixInfo": {"fixedIn": ["2.0.0"]},
    }
    told, request = await asked(
        {"issues": [deep]}, "get_aggregated_issues", org="o", project="p", severities=["high"]
    )
    assert request.headers["authorization"] == "token t"
    assert json.loads(request.body) == {"filters": {"severities": ["high"]}}
    assert told == [
        {
            "id": "SNYK-1",
            "package": "ms",
            "title": "ReDoS",
            "severity": "high",
            "known_as": {"CVE": ["CVE-1"]},
            "fixed_in": ["2.0.0"],
        }
    ]


async def test_a_flaw_of_a_package_is_read_as_an_issue() -> None:
    flaw = {"id": "SNYK-2", "package": "rsa", "title": "Timing Attack", "severity": "medium"}
    told, request = await asked(
        {"ok": False, "issues": {"vulnerabilities": [flaw]}}, "test_package", package="rsa", version="3.3"
    )
    assert (request.path, told) == ("/test/pip/rsa/3.3", [flaw])
