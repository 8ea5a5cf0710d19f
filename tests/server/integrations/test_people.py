"""Services where people sign in for themselves: the link is the vendor's, and so is what follows it."""

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr

from support.host import FakeHost, call
from support.services import FakeLedger
from wand_proto.errors import Denied
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Instances
from wand_server.integrations.kit import http, workspace
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.consent import Consents, InMemory
from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.workspace import Workspace

CATALOG = Catalog()
HOME = "https://wand.example/integrations/callback"
GOOGLE = "https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token"
ENTRA = "https://login.microsoftonline.com/t1/oauth2/v2.0"
GRAPH = f"{ENTRA}/authorize", f"{ENTRA}/token"
WHERE: dict[str, tuple[str, str]] = {
    "slack": ("https://slack.com/oauth/v2/authorize", "https://slack.com/api/oauth.v2.access"),
    "github": ("https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token"),
    "gitlab": ("https://gitlab.com/oauth/authorize", "https://gitlab.com/oauth/token"),
    "dropbox": ("https://www.dropbox.com/oauth2/authorize", "https://api.dropboxapi.com/oauth2/token"),
    "notion": ("https://api.notion.com/v1/oauth/authorize", "https://api.notion.com/v1/oauth/token"),
    "hubspot": ("https://app.hubspot.com/oauth/authorize", "https://api.hubapi.com/oauth/v1/token"),
    **dict.fromkeys(("gmail", "google_drive", "google_calendar", "google_sheets", "gcs"), GOOGLE),
    **dict.fromkeys(("onedrive", "outlook", "teams", "entra"), GRAPH),
}
MORE = {
    "gmail": {"access_type": "offline", "prompt": "consent"},
    "dropbox": {"token_access_type": "offline"},
    "notion": {"owner": "user"},
}
TABLE = {"client_id": "app-1", "client_secret": "env:SECRET"}
OF_GRAPH = {**TABLE, "tenant": "t1", "people": True}


def table(service: str) -> dict[str, Any]:
    return OF_GRAPH if WHERE[service] is GRAPH else TABLE


def opened(service: str) -> Any:
    kind = CATALOG.load(service)
    return kind(kind.Config.model_validate({**table(service), "client_secret": SecretStr("secret-of-app")}))


@pytest.mark.parametrize("service", WHERE)
async def test_a_person_signs_in_as_the_vendor_has_it(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Request] = []
    token = {"access_token": "token-of-ann", "expires_in": 3600, "refresh_token": "refresh-of-ann"}

    async def once(self: http.Client, request: Request, seconds: float = 30.0) -> Answered:
        sent.append(request)
        inside = {"authed_user": token} if service == "slack" else token
        return Answered(status=200, headers={}, body=inside)

    monkeypatch.setattr(http.Client, "once", once)
    wand, consents = opened(service), Consents(HOME, InMemory())
    ours = call()
    here = Workspace(host=FakeHost(), call=ours, may_change=True, instance=service, consents=consents)
    with workspace.given(here):
        with pytest.raises(Denied) as refused:
            await wand.http.send(Request(method="GET", path="/me"))
        link = refused.value.hint.partition("open ")[2].partition(" ")[0]
        asked = dict(parse_qsl(urlsplit(link).query))
        _, _, code = await consents.came_back({"state": asked["state"], "code": "code-of-ann"})
        await wand.execute("finish_sign_in", {"code": code})
        await wand.http.send(Request(method="GET", path="/me"))
    exchange, used = sent
    assert link.partition("?")[0] == WHERE[service][0]
    assert (asked["client_id"], asked["redirect_uri"], asked["response_type"]) == ("app-1", HOME, "code")
    assert MORE.get(service, {}).items() <= asked.items()
    assert ("code_challenge" in asked) == (service != "notion")
    check(service, exchange, asked)
    assert used.headers["Authorization"] == "Bearer token-of-ann"
    await wand.cleanup()


def check(service: str, exchange: Request, asked: dict[str, str]) -> None:
    form = (exchange.json if service == "notion" else exchange.form) or {}
    assert exchange.url == WHERE[service][1]
    assert form["code"] == "code-of-ann"
    assert form["redirect_uri"] == HOME
    if service == "notion":
        pair = base64.b64encode(b"app-1:secret-of-app").decode()
        assert exchange.headers["Authorization"] == f"Basic {pair}"
        assert set(json.loads(exchange.encode() or b"")) == {"grant_type", "code", "redirect_uri"}
    else:
        assert (form["client_id"], form["client_secret"]) == ("app-1", "secret-of-app")
        assert len(form["code_verifier"]) >= 43
        assert asked["code_challenge_method"] == "S256"


@pytest.mark.parametrize("service", WHERE)
def test_what_finishes_a_sign_in_is_offered_where_people_sign_in(service: str) -> None:
    instances = Instances(CATALOG, FakeLedger(), lambda: "a1")
    other = {"people": False} if WHERE[service] is GRAPH else {"refresh_token": "env:R", "token": "env:T"}
    known = CATALOG.known[service].settings
    instances.configure({
        service: table(service),
        f"{service}:other": {**table(service), **{name: one for name, one in other.items() if name in known}},
    })  # fmt: skip
    found = {one.name for one in instances.offered("", 10_000)}
    assert f"{service}.finish_sign_in" in found
    assert f"{service}:other.finish_sign_in" not in found
