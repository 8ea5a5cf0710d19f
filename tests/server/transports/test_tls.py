"""TLS on our own port: a client certificate signs in for whom the settings say, and for nobody else."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from support.certificates import HOSTAGENT, SERVER, authority_of, good, issue
from support.edge import Edge
from support.revoking import crl, put
from support.tools import FakeTools
from support.waiting import until
from wand_proto.credentials import Identity
from wand_proto.errors import Invalid
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
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(tls, "_LOOK_AGAIN_SECONDS", 0.02)
    server, client = good(tmp_path / "pki")
    clients = tmp_path / "clients.crt"
    clients.write_bytes(server.ca.read_bytes())
    put(tmp_path / "clients.crl", crl(authority_of(tmp_path / "pki")))
    ours = Tls(
        certificate=server.certificate,
        key=server.key,
        client_ca=clients,
        client_crl=tmp_path / "clients.crl",
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
            hsts_seconds=read.tls.hsts_seconds,
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


async def test_a_certificate_that_was_taken_back_lets_nobody_in_with_a_key_or_without(
    here: World, tmp_path: Path
) -> None:
    serial = x509.load_pem_x509_certificate(here.client.certificate.read_bytes()).serial_number
    put(tmp_path / "clients.crl", crl(authority_of(here.folder), [serial]))
    for key in ("", here.edge.key):
        status, why = await here.call(here.client, key=key)
        assert (status, "taken back" in why) == (401, True)
    assert await here.call(None, key=here.edge.key) == (200, "probe")

    put(tmp_path / "clients.crl", b"")
    assert (await here.call(here.client))[0] == 503
    put(tmp_path / "clients.crl", crl(authority_of(here.folder)))
    assert await here.call(here.client) == (200, "bot")


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


async def shaken(here: World, change: Callable[[ssl.SSLContext], None] = lambda _: None) -> ssl.SSLObject:
    """What a handshake of a client without a certificate came to."""
    context = ssl.create_default_context(cafile=here.client.ca)
    change(context)
    port = here.edge.transport.port
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOSTAGENT.dns)
    spoken = writer.get_extra_info("ssl_object")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    assert isinstance(spoken, ssl.SSLObject)
    return spoken


def of_version_1_2(ciphers: str) -> Callable[[ssl.SSLContext], None]:
    def change(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)

    return change


async def serial_of(here: World) -> object:
    found = (await shaken(here)).getpeercert()
    return (found or {})["serialNumber"]


async def until_it_is_so(asked: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await asked():
            pass


async def test_tls_1_3_is_spoken_and_1_2_with_ciphers_that_keep_a_secret_forward(here: World) -> None:
    assert (await shaken(here)).version() == "TLSv1.3"
    spoken = await shaken(here, of_version_1_2("DEFAULT"))
    assert (spoken.version(), (spoken.cipher() or [""])[0][:5]) == ("TLSv1.2", "ECDHE")


@pytest.mark.parametrize(
    "ciphers", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-CCM"]
)
async def test_an_old_cipher_is_not_spoken(here: World, ciphers: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shaken(here, of_version_1_2(f"{ciphers}:@SECLEVEL=0"))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_version_before_1_2_is_not_spoken(here: World) -> None:
    def change(context: ssl.SSLContext) -> None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shaken(here, change)


async def test_every_answer_tells_a_browser_to_ask_by_https_alone(here: World) -> None:
    context = ssl.create_default_context(cafile=here.client.ca)
    origin = here.edge.origin.replace("http:", "https:")
    async with aiohttp.ClientSession() as client:
        for path in ("/health", "/mcp", "/nothing"):
            async with client.get(origin + path, ssl=context, server_hostname=HOSTAGENT.dns) as response:
                assert response.headers["Strict-Transport-Security"] == "max-age=31536000", path


async def test_a_renewed_certificate_is_taken_up_and_who_is_connected_stays(here: World) -> None:
    before = await serial_of(here)
    context = ssl.create_default_context(cafile=here.client.ca)
    port = here.edge.transport.port
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=HOSTAGENT.dns
    )
    issue(here.folder, authority_of(here.folder), HOSTAGENT)

    async def is_another() -> bool:
        return await serial_of(here) != before

    await until_it_is_so(is_another)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_renewal_that_is_half_written_changes_nothing(
    here: World, caplog: pytest.LogCaptureFixture
) -> None:
    before = await serial_of(here)
    key = here.folder / "hostagent.key"
    good_key = key.read_bytes()
    key.write_bytes((here.folder / "server.key").read_bytes())
    await until(lambda: "renewed certificate not usable" in caplog.messages)
    assert await serial_of(here) == before
    key.write_bytes(good_key)
    caplog.set_level("INFO")
    await until(lambda: "certificate renewed" in caplog.messages)


async def test_another_authority_of_clients_is_taken_up(here: World, tmp_path: Path) -> None:
    _, stranger = good(tmp_path / "other")
    (tmp_path / "clients.crt").write_bytes(stranger.ca.read_bytes())
    put(tmp_path / "clients.crl", crl(authority_of(tmp_path / "other")))

    async def is_in(client: Identity) -> bool:
        with suppress(aiohttp.ClientError, ssl.SSLError):
            return await here.call(client) == (200, "bot")
        return False

    await until_it_is_so(lambda: is_in(stranger))
    assert not await is_in(here.client)
