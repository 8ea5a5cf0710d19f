"""Sign-in by a person's own account against a real authorization server: its form, its tokens."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from support.foreign import listening
from support.host import FakeHost, call
from support.places import free_port
from support.servers import PROGRAMS, running
from wand_proto.errors import Denied, Invalid
from wand_server.integrations import callback
from wand_server.integrations.kit import Consent, Personal, Resource, get, workspace
from wand_server.integrations.kit.consent import Consents, InMemory
from wand_server.integrations.kit.workspace import Workspace
from wand_server.model import Call

PROVIDER = PROGRAMS / "oidc-provider-mock"
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not PROVIDER.exists(), reason="no authorization server: ./dev services"),
]


class Identity(Resource):
    sub: str


class Who(Personal):
    """Says who somebody is."""

    class Config(Personal.Config):
        client_id: str = ""
        client_secret: SecretStr | None = None

    sign_in = Consent(
        authorize_url="{base_url}/oauth2/authorize",
        token_url="{base_url}/oauth2/token",
        scope="openid",
        by="basic",
    )

    async def health_check(self) -> None:
        """It is asked for nobody."""

    @get("/userinfo")
    async def get_me(self) -> Identity:
        """Say who I am."""
        raise NotImplementedError


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    words = [str(PROVIDER), "--port", str(port), "--token-max-age", "3600"]
    with running(words, url, tmp_path_factory.mktemp("provider")):
        yield url


@pytest.fixture
async def who(provider: str) -> AsyncIterator[Who]:
    opened = Who(Who.Config(base_url=provider, client_id="wand", client_secret=SecretStr("s3cret-of-wand")))
    yield opened
    await opened.cleanup()


@pytest.fixture
async def consents() -> AsyncIterator[Consents]:
    """Links of which the last page is there."""
    made = Consents("", InMemory())

    async def answer(request: web.Request) -> web.StreamResponse:
        return await callback.routes(made)[request.path][request.method](request)

    async with listening(answer) as url:
        made._address = url + callback.PATH
        yield made


def of(name: str) -> Call:
    one = call()
    return one._replace(principal=replace(one.principal, name=name))


async def asked(who: Who, consents: Consents, name: str, operation: str, **given: str) -> object:
    here = Workspace(host=FakeHost(), call=of(name), may_change=True, instance="who", consents=consents)
    with workspace.given(here):
        return await who.execute(operation, given)


async def link(who: Who, consents: Consents, name: str) -> str:
    with pytest.raises(Denied) as refused:
        await asked(who, consents, name, "get_me")
    found = re.search(r"open (\S+) in a browser, then call who\.finish_sign_in", refused.value.hint)
    assert found
    return found[1]


async def opened_by(person: str, url: str) -> str:
    """The last page, after that person has signed in at the link."""
    async with aiohttp.ClientSession() as browser, browser.post(url, data={"sub": person}) as page:
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        return await page.text()


def code_on(page: str) -> str:
    found = re.search(r"<code>(\w+)</code>", page)
    assert found
    return found[1]


async def test_each_person_acts_with_their_own_account(who: Who, consents: Consents) -> None:
    for name, account in (("ann", "ann@work"), ("bob", "bob@home")):
        page = await opened_by(account, await link(who, consents, name))
        await asked(who, consents, name, "finish_sign_in", code=code_on(page).upper() + " ")
    assert await asked(who, consents, "ann", "get_me") == {"sub": "ann@work"}
    assert await asked(who, consents, "bob", "get_me") == {"sub": "bob@home"}
    await asked(who, consents, "ann", "forget_sign_in")
    await link(who, consents, "ann")


async def test_a_link_that_is_sent_to_somebody_else_gains_nothing(who: Who, consents: Consents) -> None:
    sent = await link(who, consents, "mallory")
    page = await opened_by("ann@work", sent)
    assert "by agents of <b>mallory</b>" in page
    for wrong in ("aaaaaaaaaa", "") * 3:
        with pytest.raises(Invalid, match=r"is not the code|no link of yours"):
            await asked(who, consents, "mallory", "finish_sign_in", code=wrong)
    for name in ("ann", "mallory"):  # the code is hers alone who asked, and is dropped after five wrong ones
        with pytest.raises(Invalid, match="no link of yours"):
            await asked(who, consents, name, "finish_sign_in", code=code_on(page))
    assert "was used already" in await opened_by("ann@work", sent)


async def test_a_token_that_has_ended_is_renewed(
    who: Who, consents: Consents, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await opened_by("eve@work", await link(who, consents, "eve"))
    await asked(who, consents, "eve", "finish_sign_in", code=code_on(page))
    person = of("eve").principal.identity
    kept = consents.accounts.get("who", person)
    assert kept
    consents.accounts.put("who", person, {**kept, "until": 0.0})
    assert await asked(who, consents, "eve", "get_me") == {"sub": "eve@work"}
    newer = consents.accounts.get("who", person)
    assert newer
    assert newer["access_token"] != kept["access_token"]


async def test_the_link_is_bound_to_its_verifier(who: Who, consents: Consents) -> None:
    query = dict(parse_qsl(urlsplit(await link(who, consents, "ann")).query))
    assert query["code_challenge_method"] == "S256"
    assert (query["client_id"], query["scope"], len(query["code_challenge"])) == ("wand", "openid", 43)
    assert await link(who, consents, "ann") == await link(who, consents, "ann")  # until it is too old
