"""Any API: only where the settings say, only as they say, and signed in to nobody else."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Says, Service, serving
from support.host import FakeHost, call
from support.localhost import LocalHost, acting
from support.services import FakeLedger
from wand_proto.errors import Denied, Invalid, NotFound, Unavailable, WandError
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.devops.api import API
from wand_server.integrations.instances import Instances
from wand_server.integrations.kit.secrets import Sources
from wand_server.tools import named
from wand_server.tools.registry import Registry

SECRET = "secret-of-a-test"
TOKEN = {"access_token": "token-of-a-test", "token": "token-of-a-test", "expires_in": 3600}
FETCHED = "Bearer token-of-a-test"


@asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[API]:
    service = API(API.Config.model_validate({"base_url": f"{url}/v1", **more}))
    try:
        yield service
    finally:
        await service.cleanup()


@asynccontextmanager
async def asked(*answers: Says, **more: Any) -> AsyncIterator[tuple[Service, API]]:
    async with serving(*answers) as there, opened(there.url, **more) as service:
        yield there, service


async def test_a_question_goes_below_the_base_and_its_answer_is_read() -> None:
    says = Says(body={"n": [1]}, headers={"ETag": '"a"', "X-Other": "no"})
    async with asked(says) as (there, service):
        given = {"url": "/things?a=1", "query": {"b": [1, "x"], "c": True}, "headers": {"X-Trace": "t"}}
        told = await service.execute("fetch", given)
        assert await service.execute("fetch", {"url": f"{there.url}/v1/things"})
    assert (told["status"], told["body"], told["headers"]["etag"]) == (200, {"n": [1]}, '"a"')
    assert "x-other" not in told["headers"]
    one = there.asked[0]
    assert (one.method, one.path, one.query) == ("GET", "/v1/things", {"a": "1", "b": "1,x", "c": "true"})
    assert one.headers["x-trace"] == "t"


async def test_a_change_carries_json_or_a_text_of_any_kind() -> None:
    async with asked(Says(status=201, body={"id": 7}), read_only=False) as (there, service):
        await service.execute("change", {"url": "/things", "body": {"é": [None]}})
        text = {"url": "/things/7", "method": "PUT", "body": "<a/>", "media_type": "application/xml"}
        await service.execute("change", text)
        await service.execute("change", {"url": "/things/7", "method": "DELETE"})
    first, second, third = there.asked
    assert (first.method, json.loads(first.body)) == ("POST", {"é": [None]})
    assert (second.method, second.body, second.headers["content-type"]) == ("PUT", "<a/>", "application/xml")
    assert (third.method, third.body) == ("DELETE", "")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://evil.example/v1/things", Denied),
        ("{base}/v2/things", Denied),
        ("{base}/v1things", Denied),
        ("{base}/v1/../admin", Invalid),
        ("/../admin", Invalid),
        ("/%2e%2e/admin", Invalid),
        ("/%252e%252e/admin", Invalid),
        ("/a/..\\admin", Invalid),
        ("/..;/admin", Invalid),
        ("/..%3Bx=1/admin", Invalid),
        ("//evil.example/v1", Invalid),
        ("things", Invalid),
        ("https://evil.example@{host}/v1/things", Invalid),
        ("https://{host}@evil.example/v1/things", Invalid),
        ("https://{host}\\@evil.example/v1", Invalid),
        ("file:///etc/passwd", Invalid),
        ("gopher://{host}/v1/x", Invalid),
        ("https://\u24dbocalhost/v1/x", Invalid),
        ("http://127.0.0.1:99999/v1/x", Invalid),
        ("{base}/v1/a b", Invalid),
        ("{base}/v1/a\r\nHost: evil.example", Invalid),
    ],
)
async def test_nothing_else_is_asked(url: str, kind: type[WandError]) -> None:
    async with asked(Says(body={}), auth="bearer", token=SecretStr(SECRET)) as (there, service):
        host = there.url.removeprefix("http://")
        with pytest.raises(kind):
            await service.execute("fetch", {"url": url.replace("{base}", there.url).replace("{host}", host)})
    assert there.asked == []


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Authorization": "Bearer mine"}, Denied), ({"cookie": "a=b"}, Denied),
        ({"Host": "evil.example"}, Denied),
        ({"X-HTTP-Method-Override": "DELETE"}, Denied), ({"X_Http_Method": "DELETE"}, Denied),
        ({"X-Original-URL": "/admin"}, Denied), ({"X-Forwarded-Host": "evil.example"}, Denied),
        ({"X-API-Key": "mine"}, Denied), ({"a b": "c"}, Denied), ({"X-A": "b\r\nX-B: c"}, Invalid),
    ],
)  # fmt: skip
async def test_no_header_is_set_that_says_who_asks_or_whom(
    headers: dict[str, str], kind: type[WandError]
) -> None:
    async with asked(Says(body={})) as (there, service):
        with pytest.raises(kind):
            await service.execute("fetch", {"url": "/things", "headers": headers})
    assert there.asked == []


async def test_other_hosts_are_asked_where_they_are_named_and_get_no_sign_in() -> None:
    async with asked(Says(body={}), auth="bearer", token=SecretStr(SECRET), hosts=["a.example"]) as (_, api):
        request = api._request("GET", "https://a.example/x", None, None)
        assert request.path == "https://a.example/x"
        with pytest.raises(Denied, match="may not be asked"):
            api._request("GET", "http://a.example/x", None, None)
        with pytest.raises(Denied, match="may not be asked"):
            api._request("GET", "https://b.a.example/x", None, None)
    async with serving(Says(body={})) as inside:
        host = inside.url.removeprefix("http://")
        async with opened("https://a.example", hosts=[host]) as api:
            with pytest.raises(Unavailable, match="private_hosts"):
                await api.execute("fetch", {"url": f"https://{host}/x"})
    assert inside.asked == []


async def test_only_paths_that_are_named_are_asked() -> None:
    async with asked(Says(body={}), paths=["/v1/open/*"]) as (there, service):
        await service.execute("fetch", {"url": "/open/a"})
        for url in ("/closed/a", "/op%65n/a", "/open"):
            with pytest.raises(Denied) as refused:
                await service.execute("fetch", {"url": url})
            assert refused.value.hint.endswith("/v1; of these the paths /v1/open/*")
    assert [one.path for one in there.asked] == ["/v1/open/a"]


async def test_a_redirect_is_not_followed() -> None:
    says = Says(status=302, headers={"Location": "http://127.0.0.1:1/"})
    async with asked(says) as (there, service):
        with pytest.raises(WandError, match="302"):
            await service.execute("fetch", {"url": "/things"})
    assert len(there.asked) == 1


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ({"auth": "bearer", "token": SECRET}, "authorization", f"Bearer {SECRET}"),
        ({"auth": "basic", "username": "a", "password": "b"}, "authorization", "Basic YTpi"),
        ({"auth": "api_key", "api_key": SECRET, "api_key_name": "X-K", "api_key_prefix": "K "}, "x-k",
         f"K {SECRET}"),
        ({"auth": "oauth2", "client_id": "c", "client_secret": SECRET}, "authorization", FETCHED),
        ({"auth": "refresh_token", "client_id": "c", "refresh_token": SECRET}, "authorization", FETCHED),
        ({"auth": "session", "username": "a", "password": "b", "login_path": "/login"}, "authorization",
         FETCHED),
        ({"auth": "aws", "access_key_id": "AKIA1", "secret_access_key": SECRET, "region": "eu-west-1",
          "aws_service": "execute-api"}, "authorization", "AWS4-HMAC-SHA256 Credential=AKIA1/"),
    ],
)  # fmt: skip
async def test_one_signs_in_as_the_settings_say(settings: dict[str, str], header: str, value: str) -> None:
    async with serving(Says(body=TOKEN)) as there:
        secrets = {name: SecretStr(given) if name in _SECRETS else given for name, given in settings.items()}
        more = {"token_url": f"{there.url}/token"} if "client_id" in settings else {}
        async with opened(there.url, **secrets, **more) as service:
            await service.execute("fetch", {"url": "/things"})
    assert there.asked[-1].headers[header].startswith(value)


_SECRETS = {
    "token", "password", "api_key", "client_secret", "refresh_token", "secret_access_key",
}  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"auth": "bearer"}, "token"),
        ({"auth": "aws", "access_key_id": "a", "region": "b"}, "secret_access_key"),
        ({"auth": "bearer", "token": SecretStr(SECRET), "base_url": "", "hosts": ["a.example"]}, "base_url"),
        ({"base_url": ""}, "base_url"),
    ],
)
def test_what_a_sign_in_needs_is_said(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        API(API.Config.model_validate({"base_url": "https://a.example", **settings}))
    assert refused.value.field == field


async def test_what_is_no_json_comes_as_text_base64_or_a_file(tmp_path: Path) -> None:
    raw = Says(raw=b"\x00\xff", headers={"Content-Type": "image/png"})
    async with asked(Says(text="hé"), raw, raw) as (_, service):
        assert (await service.execute("fetch", {"url": "/a"}))["text"] == "hé"
        assert (await service.execute("fetch", {"url": "/a"}))["base64"] == "AP8="
        host = LocalHost(workspace=tmp_path)
        kept = await acting(host, service, "fetch", {"url": "/a", "save_as": "a.png"})
    assert kept["file"]


@pytest.mark.parametrize(
    ("answer", "more", "kind"),
    [
        (Says(status=404), {}, None),
        (Says(status=404), {"check_path": "/health"}, NotFound),
        (Says(status=200, body={}), {"check_path": "/health"}, None),
        (Says(status=401), {}, Denied),
    ],
)
async def test_its_health_is_that_it_answers_and_lets_us_in(
    answer: Says, more: dict[str, str], kind: type[WandError] | None
) -> None:
    async with asked(answer, **more) as (_, service):
        if kind is None:
            await service.health_check()
            return
        with pytest.raises(kind):
            await service.health_check()


async def test_it_only_reads_unless_the_settings_say_otherwise() -> None:
    async with serving(Says(body={"ok": True})) as there:
        ledger = FakeLedger()
        instances = Instances(Catalog(), ledger, lambda: "a1", Sources({"T": SECRET}))
        table = {"base_url": there.url, "auth": "bearer", "token": "env:T"}
        instances.configure({"api": table, "api:open": {**table, "read_only": False}})
        tools = Registry(FakeHost(), named.entries(instances))
        try:
            read = await tools.call("api_request", {"url": "/a"}, call())
            refused = await tools.call("api_request", {"url": "/a", "method": "POST"}, call())
            changed = {"url": "/a", "method": "POST", "body": {"n": 1}, "instance": "api:open"}
            done = await tools.call("api_request", changed, call())
        finally:
            await instances.close()
    assert (read.structured["result"]["body"], done.structured["result"]["status"]) == ({"ok": True}, 200)
    assert refused.text.startswith("NotFound: operation: there is no operation 'api.change'")
    assert [(one.method, one.body) for one in there.asked] == [("GET", ""), ("POST", '{"n":1}')]
    assert [name for what, name, _ in ledger.told if what == "begins"] == [
        "api.fetch",
        "api:open.change.post",
    ]
