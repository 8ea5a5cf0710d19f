"""Who may come in: certificates good and bad, before a real host agent."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from support import certificates, hostagent
from support.calls import asking, failure
from support.hostagent import Wand
from support.waiting import until
from wand_hostagent import pki
from wand_hostagent.certificates import leaves
from wand_proto import errors
from wand_proto.credentials import Identity
from wand_proto.v1.host_pb2 import StatusRequest
from wand_proto.v1.host_pb2_grpc import HostStub


@pytest.fixture(scope="module")
def wand() -> Iterator[Wand]:
    with hostagent.running() as running:
        yield running


async def status(wand: Wand, identity: Identity | None = None) -> Any:
    async with wand.channel(wand.tcp, identity) as channel:
        host: Any = HostStub(channel)
        return await host.Status(StatusRequest(), metadata=asking(), timeout=90)


def beside(wand: Wand, folder: Path) -> Path:
    """A copy of the certificates, to put a bad one among them."""
    return Path(shutil.copytree(wand.pki, folder / "pki"))


def refusals(wand: Wand, why: str) -> list[dict[str, Any]]:
    return [line for line in wand.agent.events("peer refused") if why in line["why"]]


async def test_the_accepted_peer_is_told_how_the_host_fares(wand: Wand) -> None:
    reply = await status(wand)

    assert reply.launcher_up
    assert reply.policy_digest
    assert reply.memory_total_bytes > 0


async def test_a_peer_of_another_name_is_denied_and_logged(wand: Wand, tmp_path: Path) -> None:
    copy = beside(wand, tmp_path)
    stranger = certificates.issue(copy, certificates.authority_of(copy), leaves("stranger")[1])

    error = await failure(status(wand, stranger))

    assert type(error) is errors.Denied
    assert "spiffe://wand.internal/server/stranger" in error.message
    assert refusals(wand, "server/stranger")


async def test_a_certificate_with_two_names_is_nobody_s(wand: Wand, tmp_path: Path) -> None:
    copy = beside(wand, tmp_path)
    both = certificates.issue(copy, certificates.authority_of(copy), certificates.TWO_URIS)

    assert type(await failure(status(wand, both))) is errors.Unauthenticated


async def test_a_certificate_of_another_authority_is_refused(wand: Wand, tmp_path: Path) -> None:
    foreign = certificates.foreign(beside(wand, tmp_path), certificates.SERVER)

    assert type(await failure(status(wand, foreign))) is errors.Unavailable
    await until(lambda: refusals(wand, "unable to get local issuer"))


async def test_an_expired_certificate_is_refused(wand: Wand, tmp_path: Path) -> None:
    expired = certificates.expired(beside(wand, tmp_path), certificates.SERVER)

    assert type(await failure(status(wand, expired))) is errors.Unavailable
    await until(lambda: refusals(wand, "certificate has expired"))


async def test_who_shows_no_certificate_is_refused(wand: Wand) -> None:
    nobody = grpc.ssl_channel_credentials(wand.identity.ca.read_bytes())
    async with aio.secure_channel(wand.tcp, nobody, options=hostagent.OPTIONS) as channel:
        host: Any = HostStub(channel)
        error = await failure(host.Status(StatusRequest(), metadata=asking(), timeout=90))

    assert type(error) is errors.Unavailable
    await until(lambda: refusals(wand, "PEER_DID_NOT_RETURN_A_CERTIFICATE"))


async def test_who_speaks_no_tls_is_refused(wand: Wand) -> None:
    async with aio.insecure_channel(wand.unix) as channel:
        host: Any = HostStub(channel)
        error = await failure(host.Status(StatusRequest(), metadata=asking(), timeout=90))

    assert type(error) is errors.Unavailable


async def test_a_call_that_names_no_principal_is_refused_by_that(wand: Wand) -> None:
    async with wand.channel() as channel:
        host: Any = HostStub(channel)
        error = await failure(host.Status(StatusRequest(), timeout=90))

    assert (type(error), error.field) == (errors.Invalid, "wand-principal-bin")


async def test_a_renewed_certificate_is_shown_without_a_restart() -> None:
    with hostagent.running() as wand:
        await status(wand)
        before = wand.agent.pid
        pki.ensure(wand.pki, "test", renew=True)

        await status(wand)

        await until(lambda: wand.agent.events("certificate renewed"))
        assert wand.agent.pid == before
