"""Text that a model can read, made from bytes that a command or a file gave."""

import codecs
from dataclasses import dataclass

from wand_proto.plaintext import plain
from wand_server.ports import StreamName
from wand_server.tools import unseen

TEXT_CEILING = 64 * 1024  # bytes of UTF-8 in one result
STREAM_CEILING = 31 * 1024  # bytes of one stream that are shown
BINARY_SHOWN = 512  # bytes of a binary stream that are shown
_INVALID_FEW = 8  # bytes that are not UTF-8 and yet leave a short stream a text
_INVALID_SHARE = 10  # one byte in so many that is not UTF-8 makes a stream binary


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Bytes as text, and what has to be said about them."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is known of one stream of a job; `omitted` are the offsets that `data` leaves out, lost or not."""

    name: StreamName
    job: str
    data: bytes
    total_bytes: int
    omitted: tuple[int, int] | None = None
    lost_bytes: int = 0

    def notes(self) -> tuple[str, ...]:
        """What has to be said however it is shown."""
        return (f"{self.name}: {lost(self.lost_bytes)}",) if self.lost_bytes else ()


NOTHING = Shown(text="", notes=())


def lost(count: int) -> str:
    return f"{count:,} bytes are lost: the host agent died, or had no room to keep them"


def job_path(job: str, stream: StreamName) -> str:
    """The name by which read_file reads on in what a job wrote."""
    return f"wand://jobs/{job}/{stream}"


def show_stream(stream: Stream) -> Shown:
    """A stream for a model: control sequences gone, binary escaped, what is left out marked."""
    if not stream.total_bytes:
        return NOTHING
    if is_binary(stream.data):
        return _show_binary(stream)
    cut = stream.omitted[0] if stream.omitted else len(stream.data)
    head, tail = stream.data[:cut], stream.data[cut:]
    head = head[: max(0, STREAM_CEILING - len(tail))]
    if len(head) + len(tail) < stream.total_bytes:
        head, tail = head[: len(head) - _unfinished(head)], tail[_orphaned(tail) :]
    parts = [_readable(head)]
    left_out = stream.total_bytes - len(head) - len(tail)
    if left_out > 0:
        parts += [_marker(stream, len(head), left_out), _readable(tail)]
    notes = () if _is_utf8(head, tail) else (f"{stream.name}: bytes that are not UTF-8 are shown as \\xNN",)
    text = "".join(parts)
    hidden = unseen.notes(stream.name, text, "written out as \\u{N}")
    return Shown(text=unseen.visible(text), notes=(*stream.notes(), *notes, *hidden))


def _show_binary(stream: Stream) -> Shown:
    part = stream.data[:BINARY_SHOWN]
    more = f", the first {len(part):,} shown escaped" if len(part) < stream.total_bytes else ", shown escaped"
    note = f"{stream.name} is binary: {stream.total_bytes:,} bytes{more}; use a command such as xxd or base64"
    return Shown(text=escaped(part), notes=(*stream.notes(), note))


def _marker(stream: Stream, offset: int, left_out: int) -> str:
    if left_out == stream.lost_bytes:
        return f"\n[... {left_out:,} bytes lost ...]\n"
    how = f'read_file path="{job_path(stream.job, stream.name)}" offset={offset}'
    rest = (
        f", {stream.lost_bytes:,} of them lost; to read the rest" if stream.lost_bytes else "; to read them"
    )
    return f"\n[... {left_out:,} bytes left out{rest}: {how} ...]\n"


def _readable(data: bytes) -> str:
    return plain(data.decode(errors="backslashreplace"))


def escaped(data: bytes) -> str:
    """Bytes as ASCII: line ends kept, what is not printable in hexadecimal."""
    return "".join(chr(byte) if byte == 0x0A or 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in data)


def is_binary(data: bytes) -> bool:
    """Whether a model should not read this as text: a NUL byte, or too much that is not UTF-8."""
    if b"\0" in data:
        return True
    invalid = data.decode(errors="replace").count("�") - data.count("�".encode())
    return invalid > max(_INVALID_FEW, len(data) // _INVALID_SHARE)


def _is_utf8(*parts: bytes) -> bool:
    try:
        for part in parts:
            codecs.decode(part, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unfinished(data: bytes) -> int:
    """How many bytes at the end begin a character that is not all there."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return back if needed > back else 0
    return 0


def whole_characters(data: bytes) -> bytes:
    """The bytes without a character at the end that is not all there."""
    return data[: len(data) - _unfinished(data)]


def _orphaned(data: bytes) -> int:
    """How many bytes at the start end a character whose first byte is not there."""
    for index, byte in enumerate(data[:4]):
        if byte & 0xC0 != 0x80:
            return index
    return 0


def clipped(text: str, ceiling_bytes: int = TEXT_CEILING) -> str:
    """The text, its middle left out where it is more than a result may hold."""
    raw = text.encode(errors="backslashreplace")
    if len(raw) <= ceiling_bytes:
        return text
    marker = "\n[... the middle of this result is left out: it is too long ...]\n"
    room = ceiling_bytes - len(marker)
    head, tail = raw[: room * 3 // 4], raw[len(raw) - room // 4 :]
    return head.decode(errors="ignore") + marker + tail.decode(errors="ignore")


def count(number: int, one: str, many: str = "") -> str:
    """A number of things: "1 byte", "2 bytes"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def seconds(amount: float) -> str:
    """A duration as people say it."""
    if amount < 1:
        return f"{amount * 1000:.0f} ms"
    if amount < 120:
        return f"{amount:.1f} s" if amount < 10 else f"{amount:.0f} s"
    minutes, rest = divmod(round(amount), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h {minutes} min"


def size(amount: float) -> str:
    """A number of bytes as people say it."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return count(round(amount), "byte") if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
