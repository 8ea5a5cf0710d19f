"""Jenkins: jobs in folders, crumbs, and what no document describes rightly."""

from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Says, Service, serving
from wand_proto.errors import Ambiguous, Denied, Invalid
from wand_server.integrations.devops.jenkins import Jenkins

TOKEN, PASSWORD = "token-of-a-test", "password-of-a-test"
CRUMB = Says(
    body={"crumb": "c1", "crumbRequestField": "Jenkins-Crumb"},
    headers={"Set-Cookie": "JSESSIONID.1=s1; Path=/"},
)
QUEUED = Says(status=201, headers={"Location": "https://jenkins.example/queue/item/7/"})


async def done(service: Service, operation: str, given: dict[str, Any], **how: Any) -> Any:
    signs: dict[str, Any] = how or {"token": SecretStr(TOKEN)}
    jenkins = Jenkins(Jenkins.Config(base_url=service.url, user="ann", **signs))
    try:
        return await jenkins.execute(operation, given)
    finally:
        await jenkins.cleanup()


@pytest.mark.parametrize(
    ("operation", "given", "path", "query", "body"),
    [
        ("trigger_build", {"name": "team/web"}, "/job/team/job/web/build", {}, ""),
        ("trigger_build", {"name": "web", "parameters": {}}, "/job/web/buildWithParameters", {}, ""),
        (
            "trigger_build",
            {"name": "web", "parameters": {"A B": "c&d"}},
            "/job/web/buildWithParameters",
            {},
            "A+B=c%26d",
        ),
        (
            "create_job",
            {"name": "team/web", "config": "<é/>"},
            "/job/team/createItem",
            {"name": "web"},
            "<é/>",
        ),
        ("create_job", {"name": "web", "config": "<p/>"}, "/createItem", {"name": "web"}, "<p/>"),
        ("update_job_config", {"name": "a/b", "config": "<p/>"}, "/job/a/job/b/config.xml", {}, "<p/>"),
        ("delete_job", {"name": "a b"}, "/job/a%20b/doDelete", {}, ""),
    ],
)
async def test_a_change_is_sent(
    operation: str, given: dict[str, Any], path: str, query: dict[str, str], body: str
) -> None:
    async with serving(QUEUED) as service:
        await done(service, operation, given)
    (asked,) = service.asked
    assert (asked.method, asked.path, asked.query, asked.body) == ("POST", path, query, body)
    assert "config" not in given or asked.headers["content-type"] == "application/xml"


async def test_a_build_says_where_it_waits() -> None:
    async with serving(QUEUED) as service:
        told = await done(service, "trigger_build", {"name": "web"})
    assert told == {"queue_url": "https://jenkins.example/queue/item/7/"}


async def test_a_password_brings_a_crumb_and_its_session_with_a_change() -> None:
    async with serving(CRUMB, QUEUED) as service:
        await done(service, "trigger_build", {"name": "web"}, password=SecretStr(PASSWORD))
    crumb, build = service.asked
    assert (crumb.path, build.headers["jenkins-crumb"], build.headers["cookie"]) == (
        "/crumbIssuer/api/json",
        "c1",
        "JSESSIONID.1=s1",
    )


async def test_a_password_needs_no_crumb_to_look_nor_where_jenkins_asks_for_none() -> None:
    async with serving(Says(body={"items": []})) as service:
        assert await done(service, "get_queue", {}, password=SecretStr(PASSWORD)) == {"items": []}
        assert [one.path for one in service.asked] == ["/queue/api/json"]
    async with serving(Says(status=404), QUEUED) as service:
        await done(service, "enable_job", {"name": "web"}, password=SecretStr(PASSWORD))
    assert "jenkins-crumb" not in service.asked[-1].headers


async def test_a_refused_sign_in_is_told_without_the_password() -> None:
    async with serving(Says(status=403, text=f"no {PASSWORD}")) as service:
        with pytest.raises(Denied) as caught:
            await done(service, "enable_job", {"name": "web"}, password=SecretStr(PASSWORD))
    assert PASSWORD not in str(caught.value)


async def test_a_build_whose_answer_got_lost_is_not_started_twice() -> None:
    async with serving(Says(hangs_up=True)) as service:
        with pytest.raises(Ambiguous):
            await done(service, "trigger_build", {"name": "web"})
    assert len(service.asked) == 1


async def test_a_path_cannot_be_left() -> None:
    async with serving(QUEUED) as service:
        for name in ("../../script", "a/../b", "."):
            with pytest.raises(Invalid, match="cannot be a part of a path"):
                await done(service, "trigger_build", {"name": name})
            with pytest.raises(Invalid, match="cannot be a part of a path"):
                await done(service, "create_job", {"name": f"{name}/x", "config": "<p/>"})
        assert service.asked == []


async def test_what_a_build_printed_is_read_from_where_one_wants() -> None:
    async with serving(Says(text="+ make\nfailed: é\n")) as service:
        log = await done(service, "get_build_log", {"name": "team/web", "build": "41", "start": 100})
        assert log == "+ make\nfailed: é\n"
        await done(service, "get_build_log", {"name": "web"})
        with pytest.raises(Invalid, match="must match"):
            await done(service, "get_build_log", {"name": "web", "build": "../41"})
    first, second = service.asked
    assert (first.path, first.query) == (
        "/job/team/job/web/41/logText/progressiveText",
        {"start": "100"},
    )
    assert second.path == "/job/web/lastBuild/logText/progressiveText"
