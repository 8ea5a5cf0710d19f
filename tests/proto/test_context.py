"""Who calls, as metadata of a call: it comes over as it was, or not at all."""

from dataclasses import fields, replace

import pytest

from wand_proto import context
from wand_proto.context import Caller
from wand_proto.errors import Invalid

LEAST = Caller(principal="ann", request_id="r1")
WHOLE = Caller(
    principal="ann",
    request_id="r1",
    client="a client 1.0 é",
    agent="an agent",
    model="a model",
    task="0198c0de-0000-7000-8000-000000000001",
    credential="key 1",
    on_behalf_of="bo",
    groups=("a", "b"),
    traceparent="00-1-2-01",
    peer="wand://server",
)
NEEDED: list[tuple[str, str | bytes]] = [("wand-request-id", "r1"), ("wand-principal-bin", b"ann")]


@pytest.mark.parametrize("caller", [LEAST, WHOLE, replace(LEAST, groups=("one",))])
def test_a_caller_comes_over_as_it_was(caller: Caller) -> None:
    told = context.to_metadata(caller)

    assert context.from_metadata([("user-agent", "x"), *told], peer=caller.peer) == caller
    assert all(isinstance(value, bytes) == key.endswith("-bin") for key, value in told)


def test_nothing_is_told_of_what_there_is_nothing_of_and_the_peer_is_the_certificates_to_tell() -> None:
    assert {key for key, _ in context.to_metadata(LEAST)} == {key for key, _ in NEEDED}
    assert len(context.to_metadata(WHOLE)) == len(fields(Caller)) - 1


@pytest.mark.parametrize(
    ("untrusted", "said"),
    [
        (NEEDED[:1], "wand-principal-bin: is missing from the call's metadata"),
        (NEEDED[1:], "wand-request-id: is missing from the call's metadata"),
        ([("wand-request-id", ""), NEEDED[1]], "wand-request-id: is missing"),
        ([*NEEDED, NEEDED[1]], "wand-principal-bin: appears twice"),
        ([*NEEDED, ("wand-agent-bin", b"\xff")], "wand-agent-bin: is not UTF-8"),
        ([*NEEDED, ("wand-agent-bin", b"a\nb")], "wand-agent-bin: must be at most 256 printable characters"),
        ([*NEEDED, ("wand-agent-bin", b"x" * 257)], "wand-agent-bin: must be at most 256 printable"),
        ([*NEEDED, ("wand-groups-bin", b"x" * 4097)], "wand-groups-bin: must be at most 4096 printable"),
    ],
)
def test_what_is_missing_or_wrong_is_named(untrusted: list[tuple[str, str | bytes]], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        context.from_metadata(untrusted, peer="")


def test_what_just_fits_is_taken() -> None:
    fits: list[tuple[str, str | bytes]] = [("wand-agent-bin", b"x" * 256), ("wand-groups-bin", b"x" * 4096)]

    caller = context.from_metadata([*NEEDED, *fits], peer="")

    assert (len(caller.agent), len(caller.groups[0])) == (256, 4096)


def test_no_two_requests_have_the_same_id() -> None:
    found = [context.new_request_id() for _ in range(600)]

    assert len(set(found)) == 600
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in found)
