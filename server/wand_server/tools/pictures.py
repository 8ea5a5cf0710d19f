"""Images and PDFs: told by their first bytes, and handed to the client as what it can show."""

import re
from urllib.parse import quote

from wand_server.model import Call, Picture
from wand_server.ports import FileRead, Host, Reading
from wand_server.tools import render
from wand_server.tools.reading import ReadAnswer

MOST_BYTES = 3 * 1024 * 1024  # a client makes four bytes of three, and many take no more than 5 MiB
_PART_BYTES = 1024 * 1024
_KINDS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-\d"), "application/pdf"),
)


def kind_of(data: bytes) -> str:
    """The MIME type of an image or a PDF that begins so; empty for anything else."""
    return next((kind for begins, kind in _KINDS if begins.match(data)), "")


async def answer(host: Host, call: Call, begun: FileRead, kind: str) -> ReadAnswer:
    """The whole file for the client to show, and in words what it is."""
    total = begun.total_bytes
    what = f"{kind}, {render.size(total)}"
    if total > MOST_BYTES:
        note = f"{what}: too large to be shown, the most is {render.size(MOST_BYTES)}; make it smaller"
        return _told(begun, note, ())
    data = bytearray()
    while len(data) < total:
        wanted = Reading(path=begun.path, offset=len(data), max_bytes=_PART_BYTES)
        read = await host.read_file(call, wanted)
        if not read.data:
            break
        data += read.data
    uri = f"wand://files/{quote(begun.path.lstrip('/'))}"
    return _told(begun, f"{what}, shown beside this", (Picture(uri=uri, mime_type=kind, data=bytes(data)),))


def _told(begun: FileRead, note: str, shown: tuple[Picture, ...]) -> ReadAnswer:
    return ReadAnswer(
        path=begun.path,
        content="",
        offset=0,
        total_bytes=begun.total_bytes,
        next_offset=None,
        binary=True,
        sha256=begun.sha256,
        notes=(note,),
        shown=shown,
    )
