"""Refused sign-ins go to the host agent together, bounded, and are kept until it has them."""

from contextlib import AsyncExitStack

import pytest

from support.places import short_folder
from support.waiting import until
from support.wirehost import WireHost, address, serving
from wand_proto.errors import Exhausted
from wand_proto.v1 import host_pb2
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient
from wand_server.hostlink.signins import MOST, SignIns


async def told_by(host: WireHost, refusals: list[tuple[str, str]], *, messages: int = 1) -> list[list[str]]:
    """What the host agent hears of refusals: a list for each message."""
    async with AsyncExitStack() as parts:
        folder = parts.enter_context(short_folder())
        identity = await parts.enter_async_context(serving(host, folder))
        link = await parts.enter_async_context(Link(address(folder), identity))
        sign_ins = await parts.enter_async_context(SignIns(HostClient(link=link), every_seconds=0.01))
        for one in refusals:
            sign_ins.refused(*one)
        await until(lambda: len(host.asked) >= messages)
    asked = [one for one in host.asked if isinstance(one, host_pb2.SignInsRefusedRequest)]
    return [[f"{one.address} {one.why} {one.times}" for one in each.refused] for each in asked]


async def test_what_comes_together_is_told_together_and_counted() -> None:
    assert await told_by(WireHost(), [("::1", "no key"), ("::2", "no key"), ("::1", "no key")]) == [
        ["::1 no key 2", "::2 no key 1"]
    ]


async def test_of_too_many_the_rest_is_counted_together() -> None:
    (told,) = await told_by(WireHost(), [(f"::{number}", "no key") for number in range(100)])
    assert len(told) == MOST + 1
    assert told[-1] == f" more sign-ins were refused than are told one by one {100 - MOST}"


async def test_what_cannot_be_told_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    (told,) = await told_by(WireHost(), [("::1", "no text \udc80"), ("::2", "no key")])
    assert told == [" more sign-ins were refused than are told one by one 2"]
    assert "not told one by one" in caplog.text


async def test_what_could_not_be_told_is_told_again() -> None:
    host = WireHost(error=Exhausted("too often"))
    first, second = (await told_by(host, [("::1", "no key")], messages=2))[:2]
    assert first == second == ["::1 no key 1"]
