"""Files by a real client, through a whole Wand: shown, moved, removed and restored, and watched."""

import asyncio
import base64
import struct
import zlib
from typing import Any

from support.running import Running
from support.visits import client_of, recorded, text_of, use


def png() -> bytes:
    """The smallest image that there is: one red pixel."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\xff\0\0")),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


async def told(wand: Running, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await use(wand, tool, **arguments)
    assert not result.is_error, text_of(result)
    return dict(result.structured_content)


async def test_an_image_and_a_pdf_come_as_what_a_client_shows(wand: Running) -> None:
    (wand.workspace / "red.png").write_bytes(png())
    (wand.workspace / "doc.pdf").write_bytes(b"%PDF-1.4\n" + bytes(range(256)) * 8000)

    image = (await use(wand, "read_file", path="red.png")).content[1]
    document = (await use(wand, "read_file", path="doc.pdf")).content[1]

    assert (image.type, image.mime_type, base64.b64decode(image.data)) == ("image", "image/png", png())
    assert (document.type, document.resource.mime_type) == ("resource", "application/pdf")
    assert len(base64.b64decode(document.resource.blob)) == 9 + 256 * 8000


async def test_what_is_removed_is_restored_and_both_are_on_record_before(wand: Running) -> None:
    (wand.workspace / "kept").mkdir()
    (wand.workspace / "kept" / "a.txt").write_text("a")

    await told(wand, "manage_file", action="move", path="kept", to="moved")
    await told(wand, "manage_file", action="copy", path="moved", to="copied")
    await told(wand, "manage_file", action="remove", path="moved")
    gone = not (wand.workspace / "moved").exists()
    back = await told(wand, "manage_file", action="restore", path="moved")

    assert gone
    assert (back["now_at"], back["files"]) == (f"{wand.workspace}/moved", 1)
    assert [(wand.workspace / name / "a.txt").read_text() for name in ("moved", "copied")] == ["a", "a"]
    verbs = [fields["verb"] for fields in recorded(wand, "file")]
    assert verbs[-4:] == ["move", "copy", "remove", "restore"]
    assert [fields["ok"] for fields in recorded(wand, "file_end")][-4:] == [True] * 4


async def test_a_file_that_changes_is_told_of_to_who_listens(wand: Running) -> None:
    file, uri = wand.workspace / "watched.txt", "wand://files/watched.txt"
    file.write_text("before")

    async with asyncio.timeout(60), client_of(wand) as client:
        async with client.listen(resource_subscriptions=[uri]) as news:
            file.write_text("and after")
            told_of = await anext(aiter(news))
        (content,) = (await client.read_resource(uri)).contents

    assert getattr(told_of, "uri", "") == uri
    assert getattr(content, "text", "") == "and after"
