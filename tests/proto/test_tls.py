"""Both ends know each other by certificate, over a real socket, and take up renewed ones."""

import logging
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import grpc
import grpc.aio
import pytest

from support import certificates
from wand_hostagent.certificates import Leaf
from wand_hostagent.service import listen, peers
from wand_proto import tls
from wand_proto.credentials import Identity
from wand_proto.errors import Denied, Invalid, NotFound, Unauthenticated
from wand_proto.wire import HOSTAGENT_NAME

OPTIONS = [
    ("grpc.ssl_target_name_override", HOSTAGENT_NAME),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="w", dir="/tmp") as name:
        yield Path(name)


async def _who(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    seen = context.auth_context()
    try:
        return f"{peers.uri_of(seen)} {peers.version_of(seen)}".encode()
    except Unauthenticated as error:
        return str(error).encode()


@asynccontextmanager
async def serving(identity: Identity, address: str) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("test", {"Who": grpc.unary_unary_rpc_method_handler(_who)})]
    )
    port = server.add_secure_port(address, listen.credentials_of(identity))
    await server.start()
    try:
        yield address.replace(":0", f":{port}") if address.endswith(":0") else address
    finally:
        await server.stop(0)


async def ask(address: str, identity: Identity) -> str:
    async with grpc.aio.secure_channel(
        address, tls.channel_credentials(identity), options=OPTIONS
    ) as channel:
        call: Any = channel.unary_unary("/test/Who")
        return str((await call(b"", timeout=5)).decode())


@pytest.mark.parametrize("where", ["unix", "tcp"])
async def test_the_server_is_known_by_its_uri_over_tls_1_3(folder: Path, where: str) -> None:
    hostagent, server = certificates.good(folder)

    async with serving(hostagent, f"unix:{folder}/s" if where == "unix" else "127.0.0.1:0") as address:
        assert await ask(address, server) == "spiffe://wand.internal/server/test TLSv1.3"


@pytest.mark.parametrize(("leaf", "names"), [(certificates.TWO_URIS, 2), (certificates.NO_URI, 0)])
async def test_who_names_not_exactly_one_uri_is_nobody(folder: Path, leaf: Leaf, names: int) -> None:
    hostagent, _ = certificates.good(folder)
    stranger = certificates.issue(folder, certificates.authority_of(folder), leaf)

    async with serving(hostagent, f"unix:{folder}/s") as address:
        assert f"names {names}" in await ask(address, stranger)


@pytest.mark.parametrize("spoil", [certificates.expired, certificates.foreign])
async def test_a_client_with_a_bad_certificate_gets_no_answer(folder: Path, spoil: object) -> None:
    hostagent, _ = certificates.good(folder)
    assert callable(spoil)
    bad = spoil(folder, certificates.SERVER)

    async with serving(hostagent, f"unix:{folder}/s") as address:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(address, bad)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_host_agents_own_leaf_cannot_be_used_to_call_it(folder: Path) -> None:
    hostagent, _ = certificates.good(folder)

    async with serving(hostagent, f"unix:{folder}/s") as address:
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(address, hostagent)


async def test_a_host_agent_under_another_name_is_not_believed(folder: Path) -> None:
    _, server = certificates.good(folder)
    impostor = certificates.issue(folder, certificates.authority_of(folder), certificates.OTHER_NAME)

    async with serving(impostor, f"unix:{folder}/s") as address:
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(address, server)


async def test_a_new_connection_meets_the_renewed_certificate(folder: Path) -> None:
    hostagent, server = certificates.good(folder)
    old_authority = folder / "old"
    old_authority.mkdir()
    before = Identity(Path(copy(folder / "ca.crt", old_authority)), server.certificate, server.key)

    async with serving(hostagent, f"unix:{folder}/s") as address:
        await ask(address, before)
        (folder / "ca.crt").unlink()
        (folder / "ca.key").unlink()
        certificates.good(folder)  # everything anew: only who rereads all three files can talk

        assert "spiffe" in await ask(address, server)


async def test_a_half_written_pair_keeps_the_old_one_and_says_so_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hostagent, server = certificates.good(folder)

    async with serving(hostagent, f"unix:{folder}/s") as address:
        hostagent.key.write_text("half")
        with caplog.at_level(logging.WARNING, logger="wand_proto.tls"):
            for _ in range(3):
                assert "spiffe" in await ask(address, server)
    said = [record.message for record in caplog.records if record.name == "wand_proto.tls"]
    assert said == ["renewed certificate does not fit, keeping the old"]


def test_a_client_learns_of_renewed_files_and_not_of_broken_ones(folder: Path) -> None:
    _, server = certificates.good(folder)
    watched = tls.Watched(server)
    assert not watched.stale()

    server.key.write_text("half")
    assert not watched.stale()

    certificates.issue(folder, certificates.authority_of(folder), certificates.SERVER)
    assert watched.stale()
    assert watched.stale()
    assert not tls.Watched(server).stale()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_private_key_that_others_may_read_is_refused(folder: Path, mode: int) -> None:
    hostagent, server = certificates.good(folder)
    for identity, use in ((hostagent, listen.credentials_of), (server, tls.channel_credentials)):
        identity.key.chmod(mode)
        with pytest.raises(Denied, match=rf"{identity.key} is open to others .*chmod 600"):
            use(identity)


def test_what_is_missing_or_does_not_fit_is_named(folder: Path) -> None:
    hostagent, server = certificates.good(folder)

    with pytest.raises(NotFound, match=r"absent\.key does not exist"):
        tls.load(Identity(server.ca, server.certificate, folder / "absent.key"))
    with pytest.raises(Invalid, match=r"server\.crt and .*hostagent\.key are no"):
        tls.load(Identity(server.ca, server.certificate, hostagent.key))
