"""The port that is chosen, and settings files that are good whatever a path is called."""

import asyncio
import socket
import tomllib
from pathlib import Path

import pytest

from wand_server.embedded import parts
from wand_server.embedded.place import Place, Unfit
from wand_server.embedded.shown import Person


def profile_of(place: Place) -> str:
    person = Person(home=Path("/h"), workspace=place.workspace, environment={"PATH": "/usr/bin"})
    return parts._profile(place, person, parts.Network("host"))


def test_the_first_free_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((parts.HOST, 0)) as taken, socket.create_server((parts.HOST, 0)) as other:
        free = other.getsockname()[1]
        other.close()
        monkeypatch.setattr(parts, "_PORTS", (taken.getsockname()[1], free))

        with parts.hold_port(None) as held:
            assert held.getsockname()[1] == free


def test_ports_that_are_all_taken_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((parts.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(parts, "_PORTS", (port,))

        with pytest.raises(Unfit, match="are all taken; give --port 0"):
            parts.hold_port(None)
        with pytest.raises(Unfit, match=f"port {port} is taken"):
            parts.hold_port(port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(Unfit, match="is no port"):
        parts.hold_port(port)


@pytest.mark.parametrize(
    "name", ["plain", 'quo"te', "back\\slash", "spa ce", "new\nline", "ünï", "\x7f", "😀"]
)
def test_every_name_of_a_folder_makes_good_settings(name: str) -> None:
    place = Place(workspace=Path("/w") / name, state=Path("/s"), run=Path("/r") / name)

    for text in (
        profile_of(place),
        parts._policy(place),
        parts._hostagent(place),
        parts._server(place, 1, parts.Public()),
    ):
        assert tomllib.loads(text)
    assert tomllib.loads(profile_of(place))["workspace"] == f"/w/{name}"


def test_a_name_that_is_not_utf8_is_refused() -> None:
    place = Place(workspace=Path("/w/\udcff"), state=Path("/s"), run=Path("/r"))

    with pytest.raises(Unfit, match="is not UTF-8"):
        profile_of(place)


def test_a_public_address_lets_people_sign_in_there() -> None:
    place = Place(workspace=Path("/w"), state=Path("/s"), run=Path("/r"))
    public = parts.Public("https://wand.example")
    read = tomllib.loads(parts._server(place, 1, public) + parts._issuer(public))
    assert read["http"]["allowed_hosts"] == ["wand.example"]
    assert read["issuer"]["url"] == public.url
    assert read["http"]["trusted_proxies"] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize(
    "public", ["wand.example", "http://wand.example", "https://wand.example/", "https://a/b"]
)
def test_what_is_no_public_address_is_refused(public: str) -> None:
    with pytest.raises(Unfit, match=r"like https://wand\.example"):
        parts.Public(public)


async def test_a_port_that_is_held_is_for_the_server_alone() -> None:
    with parts.hold_port(0) as held, socket.socket() as other:
        port = held.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            other.bind((parts.HOST, port))
        async with await asyncio.start_server(lambda _, writer: writer.close(), parts.HOST, port):
            reader, writer = await asyncio.open_connection(parts.HOST, port)
            assert await reader.read() == b""
            writer.close()
