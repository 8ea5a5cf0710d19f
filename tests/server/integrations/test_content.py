"""Files and texts: sent as parts, as a whole body or within one; given back, or kept in the workspace."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

import pytest
from aiohttp import web

from support.foreign import Says, listening, serving
from support.host import FILE, FakeHost, call
from wand_proto.errors import Denied, Invalid, Unavailable, WandError
from wand_server import ports, scopes
from wand_server.integrations.kit import Content, Download, Integration, Sent, get, post, put, workspace
from wand_server.integrations.kit.workspace import Workspace

PIXEL = base64.b64encode(b"\x89PNG\0").decode()
EVERYTHING = frozenset({scopes.READ, scopes.WRITE})


class Drive(Integration):
    """Keeps files."""

    async def health_check(self) -> None:
        """It is well."""

    @post("/form", multipart="form-data")
    async def send_form(self, title: str, file: Content, tags: list[str] | None = None) -> str:
        """Send a file in a form."""

    @post("/related", multipart="related")
    async def send_related(self, title: str, file: Content) -> str:
        """Send a file with a description."""

    @put("/raw/{name}")
    async def send_raw(self, name: str, content: Annotated[Content, Sent(where="whole_body")]) -> str:
        """Send a file as it is."""

    @post("/json")
    async def send_json(self, content: Content) -> str:
        """Send a file within JSON."""

    @post("/xml", media_type="application/xml")
    async def send_xml(self, config: Annotated[str, Sent(where="whole_body")]) -> str:
        """Send a text that is XML."""

    @get("/file")
    async def get_file(self) -> Download:
        """Get a file."""


async def echo(request: web.Request) -> web.Response:
    """What came, part by part, read by aiohttp's own reader."""
    if not request.content_type.startswith("multipart/"):
        return web.Response(text=f"{request.content_type} {await request.text()}")
    parts = []
    async for part in await request.multipart():
        about = (part.headers.get("content-type", ""), part.name or "", part.filename or "")  # type: ignore[union-attr]
        parts.append(" ".join((*about, (await part.read()).decode())))  # type: ignore[union-attr]
    return web.Response(text="|".join(parts))


@asynccontextmanager
async def drive(url: str, host: ports.Host | None, *, may_change: bool = True) -> AsyncIterator[Drive]:
    """It, and a workspace around it."""
    opened, one = Drive(Drive.Config(base_url=url)), call()
    one = one._replace(principal=type(one.principal)(name="ann", means="api_key", scopes=EVERYTHING))
    try:
        if host is None:
            yield opened
            return
        with workspace.given(Workspace(host=host, call=one, may_change=may_change)):
            yield opened
    finally:
        await opened.cleanup()


@pytest.mark.parametrize(
    ("name", "given", "came"),
    [
        (
            "send_form",
            {"title": "ü", "file": {"text": "hi", "name": 'a"\r\nb.txt'}, "tags": ["x", "y"]},
            " title  ü| tags  x,y|text/plain file a%22%0D%0Ab.txt hi",
        ),
        (
            "send_form",
            {"title": "t", "file": {"file": "docs/a.json"}},
            " title  t|application/json file a.json one\ntwo\n",
        ),
        (
            "send_related",
            {"title": "t", "file": {"text": "x", "media_type": "a/b"}},
            'application/json; charset=UTF-8   {"title": "t"}|a/b   x',
        ),
        ("send_raw", {"name": "n", "content": {"text": "ü"}}, "text/plain ü"),
        ("send_raw", {"name": "n", "content": {"base64": "YWI=", "name": "x.png"}}, "image/png ab"),
        ("send_json", {"content": {"file": "a.bin"}}, 'application/json {"content":"b25lCnR3bwo="}'),
        ("send_xml", {"config": "<a/>"}, "application/xml <a/>"),
    ],
)
async def test_content_is_sent_where_it_belongs(name: str, given: dict[str, Any], came: str) -> None:
    async with listening(echo) as url, drive(url, FakeHost()) as opened:
        assert await opened.execute(name, given) == came


@pytest.mark.parametrize(
    ("content", "host", "kind", "said"),
    [
        ({}, None, Invalid, "file: must have one of text, base64 and file"),
        ({"text": "a", "file": "b"}, None, Invalid, "must have one of"),
        ({"base64": "%"}, None, Invalid, "file.base64: is no base64"),
        ({"text": "a", "media_type": "a/b\r\nX: y"}, None, Invalid, "media_type: must match"),
        ({"file": "a"}, None, Unavailable, "there is no workspace here"),
        ({"file": "a"}, FakeHost(error=Denied("not yours")), Denied, "not yours"),
        (
            {"file": "a"},
            FakeHost(file=replace(FILE, total_bytes=2**30)),
            Invalid,
            "must have at most 16 MiB",
        ),
    ],
)
async def test_content_that_cannot_be_had_is_named(
    content: dict[str, Any], host: FakeHost | None, kind: type[WandError], said: str
) -> None:
    async with serving() as service, drive(service.url, host) as opened:
        with pytest.raises(kind, match=said):
            await opened.execute("send_form", {"title": "t", "file": content})
        assert service.asked == []


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        (Says(text="plain"), {"media_type": "text/plain; charset=utf-8", "size": 5, "text": "plain"}),
        (
            Says(raw=b"\x89PNG\0", headers={"Content-Type": "image/png"}),
            {"media_type": "image/png", "size": 5, "base64": PIXEL},
        ),
        (
            Says(
                raw=b"\xff\xfe", headers={"Content-Disposition": "attachment; filename*=UTF-8''..%2Fa%C3%BC"}
            ),
            {"media_type": "application/octet-stream", "size": 2, "base64": "//4=", "name": "a\u00fc"},
        ),
    ],
)
async def test_a_file_comes_as_text_or_as_base64(answer: Says, given: dict[str, Any]) -> None:
    async with serving(answer) as service, drive(service.url, None) as opened:
        assert await opened.execute("get_file", {}) == given


async def test_a_file_can_be_kept_in_the_workspace_by_who_may_change_it() -> None:
    host, answer = FakeHost(), Says(raw=b"x" * (1024 * 1024 + 3))
    async with serving(answer) as service, drive(service.url, host) as opened:
        kept = await opened.execute("get_file", {"save_as": "out/a"})
        assert (kept["file"], kept["size"]) == ("/work/a.txt", len(answer.raw or b""))
        modes = [
            (one.path, one.mode, len(one.content)) for one in host.asked if isinstance(one, ports.Writing)
        ]
        assert modes == [("out/a", "create", 1024 * 1024), ("/work/a.txt", "append", 3)]
    async with serving(answer) as service, drive(service.url, host, may_change=False) as opened:
        with pytest.raises(Denied, match="call it with call_operation_write"):
            await opened.execute("get_file", {"save_as": "out/a"})


async def test_files_take_the_scopes_that_the_file_tools_take() -> None:
    nobody = Workspace(host=FakeHost(), call=call(), may_change=True)
    with pytest.raises(Denied, match="wand:read"):
        await nobody.read("a", "content.file")
    with pytest.raises(Denied, match="wand:write"):
        await nobody.write("a", b"", "save_as")
