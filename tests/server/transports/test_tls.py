"""TLS on our own port: a client certificate signs in for whom the settings say, and for nobody else."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from support.certificates import HOSTAGENT, SERVER, authority_of, good, issue
from support.edge import Edge
from support.tools import FakeTools
from wand_proto.errors import Invalid
from wand_proto.tls import Identity
from wand_server import entrance
from wand_server.auth import keyfile
from wand_server.protocol.server import build
from wand_server.settings import Client, Http, Settings, Tls
from wand_server.transports import tls
from wand_server.transports.http import HttpTransport

KNOWN = "URI:spiffe://wand.internal/server/test"


@dataclass
class World:
    """Our edge under TLS, and the folder of an authority that it knows."""

    edge: Edge
    folder: Path
    client: Identity
    refused: list[str]

    async def call(
        self, identity: Identity | None, tool: str = "echo", key: str = "", origin: str | None = None
    ) -> tuple[int, str]:
        """The status, and who it was or why not."""
        context = ssl.create_default_context(cafile=self.client.ca)
        if identity is not None:
            context.load_cert_chain(identity.certificate, identity.key)
        asked = self.edge.call(
            tool, {"text": "x"}, Authorization=f"Bearer {key}" if key else None, Origin=origin
        )
        url = self.edge.url.replace("http:", "https:")
        async with (
            aiohttp.ClientSession() as client,
            client.post(url, ssl=context, server_hostname=HOSTAGENT.dns, **asked) as response,
        ):
            body = await response.json()
        if response.status != 200:
            return response.status, str(body["error"]["message"])
        return 200, str(body["result"]["structuredContent"]["principal"])


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    server, client = good(tmp_path / "pki")
    ours = Tls(
        certificate=server.certificate,
        key=server.key,
        client_ca=server.ca,
        client=(Client(certificate=KNOWN, name="bot", scopes=("wand:read",)),),
    )
    key = keyfile.add(tmp_path / "keys.toml", "probe")
    read = Settings(http=Http(keys_file=tmp_path / "keys.toml"), tls=ours)
    async with AsyncExitStack() as parts:
        refused: list[str] = []
        transport = HttpTransport(
            build(FakeTools(), version="1", instructions=""),
            await entrance.guard(read, parts),
            hostagent_is_up=lambda: True,
            refused=lambda _, why: refused.append(why),
            tls_context=await entrance.tls_context(read, parts),
        )
        await parts.enter_async_context(transport)
        unused = await parts.enter_async_context(aiohttp.ClientSession())
        yield World(Edge(transport, FakeTools(), unused, key, ""), tmp_path / "pki", client, refused)


async def test_a_certificate_signs_in_with_what_it_was_given(here: World) -> None:
    assert await here.call(here.client) == (200, "bot")
    assert (await here.call(here.client, "slow"))[0] == 403


async def test_a_key_counts_with_and_without_a_certificate(here: World) -> None:
    assert await here.call(None, key=here.edge.key) == (200, "probe")
    assert await here.call(here.client, key=here.edge.key) == (200, "probe")
    assert (await here.call(here.client, key="wand_wrong"))[0] == 401


async def test_no_page_signs_in_by_the_certificate_of_the_browser_that_shows_it(here: World) -> None:
    page = "http://localhost:3000"
    assert (await here.call(here.client, origin=page))[0] == 403
    assert await here.call(here.client, key=here.edge.key, origin=page) == (200, "probe")


async def test_without_either_nobody_gets_in(here: World) -> None:
    assert (await here.call(None))[0] == 401


async def test_a_certificate_that_nobody_has_named_is_refused_and_audited(here: World) -> None:
    other = replace(SERVER, uris=("spiffe://wand.internal/server/other",))

    status, why = await here.call(issue(here.folder, authority_of(here.folder), other))

    assert (status, here.refused) == (401, ["the client certificate stands for nobody here"])
    assert "nobody" in why


async def test_a_certificate_of_another_authority_does_not_get_through_the_handshake(
    here: World, tmp_path: Path
) -> None:
    _, stranger = good(tmp_path / "other")
    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await here.call(replace(stranger, ca=here.client.ca))


async def test_plain_http_is_not_spoken(here: World) -> None:
    with pytest.raises(aiohttp.ClientError):
        async with here.edge.client.get(f"{here.edge.origin}/health"):
            pass


@pytest.mark.parametrize("which", ["certificate", "client_ca"])
async def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, which: str) -> None:
    server, _ = good(tmp_path)
    nothing = tmp_path / "nothing"
    certificate = nothing if which == "certificate" else server.certificate
    files = tls.Files(certificate=certificate, key=server.key, client_ca=nothing)
    with pytest.raises(Invalid, match=which):
        async with tls.context(files):
            pass
