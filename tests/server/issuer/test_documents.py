"""Documents come from the public internet alone, whatever a stranger names; and from there they do come."""

import asyncio
import ipaddress
import json
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from support import serverside
from support.issuing import CALLBACK, issuing
from wand_server import addresses
from wand_server.issuer import metadata
from wand_server.issuer.documents import Documents
from wand_server.issuer.model import Refusal
from wand_server.outward import PublicResolver

HOME = "https://client.example/wand.json"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
GOOD = {
    "client_id": HOME,
    "client_name": "Example Agent",
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
}
PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "2001:4860:4860::8888")
NOT_PUBLIC = (
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "168.63.129.16", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "::ffff:127.0.0.1",
    "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "fe80::1", "fc00::1",
    "fd00:ec2::254", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2001::1", "3fff::1", "fec0::1",
    "fe80::1%eth0", "client.example", "", "1.2.3", "0x7f.1", "2130706433",
)  # fmt: skip
NOT_DOCUMENTS = (
    "http://client.example/a", "https://client.example", "https://client.example/",
    "https://localhost/a", "https://127.0.0.1/a", "https://[::1]/a", "https://2130706433/a",
    "https://0x7f.1/a", "https://10.1/a", "https://client.example:8443/a",
    "https://user@client.example/a", "https://client.example/a#b", "https://client.example/../a",
    "https://client.example/a/./b", "https://client.example/%2e%2e/a",
    "https://client.example/a%2Fb", "https://client.example/a\n", "https://client.example/ a",
    "https://CLIENT.example/a", "https://client.example./a", "https://client_.example/a",
    "https://clïent.example/a", "file:///etc/passwd", "https://client.example/" + "a" * 500,
    "https://client.example\\@evil.example/a",
)  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert addresses.is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_of_anything_else_is_not(address: str) -> None:
    assert not addresses.is_public(address)


@pytest.mark.parametrize("url", NOT_DOCUMENTS)
def test_it_is_no_address_of_a_document(url: str) -> None:
    assert not metadata.is_document_url(url)


class FakeNames(AbstractResolver):
    """Names that stand for what they are given; remembers which were asked for."""

    def __init__(self, *found: str, port: int = 443) -> None:
        self.found, self.port = found, port
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=self.port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in self.found
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("found", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("169.254.169.254",), ()])
async def test_a_name_that_leads_inside_is_not_gone_to(found: tuple[str, ...]) -> None:
    async with Documents(resolver=PublicResolver(inner=FakeNames(*found))) as documents:
        with pytest.raises(Refusal, match="cannot be fetched"):
            await documents.client(HOME)


async def test_a_network_that_the_settings_name_is_gone_to() -> None:
    for also, fine in ((), False), (LOOPBACK, True):
        resolver = PublicResolver(also, FakeNames("127.0.0.1"))
        if fine:
            assert [one["host"] for one in await resolver.resolve("client.example")] == ["127.0.0.1"]
        else:
            with pytest.raises(OSError, match="public"):
                await resolver.resolve("client.example")


@asynccontextmanager
async def home(
    folder: Path, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> AsyncIterator[Documents]:
    """Documents of client.example, not entered yet, which a server with TLS on loopback has."""
    listening, believing = serverside.tls(folder, "client.example")
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=listening).start()
    names = FakeNames("127.0.0.1", port=runner.addresses[0][1])
    try:
        yield Documents(resolver=PublicResolver(LOOPBACK, names), tls=believing)
    finally:
        await runner.cleanup()


def saying(
    body: Any = GOOD, status: int = 200, **headers: str
) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def answer(_: web.BaseRequest) -> web.Response:
        more = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): one for name, one in headers.items()},
        }
        return web.Response(body=text, status=status, headers=more)

    return answer


async def test_a_document_is_read_and_kept(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.headers["Host"])
        return await saying()(request)

    async with home(tmp_path, answer) as documents, documents:
        first, second = await asyncio.gather(documents.client(HOME), documents.client(HOME))
        third = await documents.client(HOME)
    assert first == second == third
    assert (first.name, first.redirect_uris, first.may_refresh) == ("Example Agent", (CALLBACK,), True)
    assert asked == ["client.example"]


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (saying({**GOOD, "client_id": "https://other.example/a"}), "own address"),
        (saying({**GOOD, "redirect_uris": ["http://app.example/"]}), "redirect_uris"),
        (saying({**GOOD, "redirect_uris": []}), "redirect_uris"),
        (saying({**GOOD, "token_endpoint_auth_method": "client_secret_basic"}), "none"),
        (saying({**GOOD, "grant_types": ["implicit"]}), "grant_types"),
        (saying(b"<html>"), "JSON"),
        (saying(b"[" * 9000), "JSON"),
        (saying(b" " * 20000), "bytes"),
        (saying(status=404), "no document"),
        (saying(status=302, Location="https://127.0.0.1/a"), "no document"),
        (saying(Content_Type="text/html"), "no document"),
        (saying(Content_Encoding="gzip"), "encoded"),
    ],
)
async def test_what_is_there_is_no_document(handler: Any, why: str, tmp_path: Path) -> None:
    async with home(tmp_path, handler) as documents, documents:
        with pytest.raises(Refusal, match=why):
            await documents.client(HOME)


async def test_a_client_with_a_document_is_let_in_and_its_host_is_shown(tmp_path: Path) -> None:
    async with home(tmp_path, saying()) as documents, issuing(tmp_path, documents=documents) as place:
        query = place.query(HOME)
        page = await place.sign_in(query)
        assert "<dd>client.example</dd>" in page.text
        answer = await place.post(query, proof=page.proof, step="give", scope=page.scopes)
        status, tokens = await place.redeem(HOME, answer.told["code"])
        assert (status, set(tokens) >= {"access_token", "refresh_token"}) == (200, True)


@pytest.mark.parametrize("later", [{"redirect_uris": ["https://x.example/"]}, {"client_name": "Other"}])
async def test_nobody_says_yes_to_what_a_document_says_only_later(
    later: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = dict(GOOD)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return await saying(says)(request)

    async with home(tmp_path, answer) as documents, issuing(tmp_path, documents=documents) as place:
        query = place.query(HOME, redirect_uri=None)
        page = await place.sign_in(query)
        says |= later
        monkeypatch.setattr(documents, "_kept", OrderedDict())  # its time is over

        told = await place.post(query, proof=page.proof, step="give", scope=page.scopes)

    assert (told.status, "Location" in told.headers) == (403, False)


@pytest.mark.parametrize(
    ("uri", "is_warned"),
    [(CALLBACK, True), ("http://localhost:7/x", True), ("https://client.example/x", False)],
)
async def test_who_is_asked_by_a_program_of_their_own_computer_is_warned(
    tmp_path: Path, uri: str, *, is_warned: bool
) -> None:
    async with issuing(tmp_path) as place:
        client_id = (await place.register(redirect_uris=[uri]))["client_id"]
        page = await place.sign_in(place.query(client_id, redirect_uri=uri))
    assert ("Any program on this computer could ask this" in page.text) == is_warned


async def test_nothing_is_fetched_for_somebody_who_has_not_signed_in(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return await saying()(request)

    async with home(tmp_path, answer) as documents, issuing(tmp_path, documents=documents) as place:
        query = place.query(HOME)
        page = await place.get(query)
        assert page.status == 200
        told = await place.post(query, proof=page.proof, name="eve", password="wrong" * 3, step="sign-in")
        assert (told.status, asked) == (403, [])
        await place.sign_in(query)
    assert asked == ["/wand.json"]
