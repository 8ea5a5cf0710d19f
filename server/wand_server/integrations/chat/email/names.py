"""How IMAP (RFC 3501) spells names and words: mailboxes in UTF-7 of its own, everything else quoted."""

import base64
import re

from wand_proto.errors import Invalid

_LISTED = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?:\\.|[^"\\])*"|NIL) (?P<name>.*)$', re.DOTALL)
_SHIFTED = re.compile(r"&([^-]*)-")
_PLAIN = re.compile(r"[\x20-\x7e]+|[^\x20-\x7e]+")


def encoded(name: str) -> str:
    """A mailbox's name as it is sent, quoted (RFC 3501, 5.1.3).

    Raises:
        Invalid: none can have that name.
    """
    if not name or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise Invalid("must be the name of a mailbox, from list_mailboxes", field="mailbox")
    try:
        return quoted("".join(map(_shifted, _PLAIN.findall(name))))
    except UnicodeEncodeError as why:
        raise Invalid("must be the name of a mailbox, from list_mailboxes", field="mailbox") from why


def _shifted(run: str) -> str:
    if run.isascii():
        return run.replace("&", "&-")
    return "&" + base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"


def decoded(name: str) -> str:
    """A mailbox's name as people read it; one that is not encoded as it should is left as it is."""
    try:
        return _SHIFTED.sub(lambda match: _unshifted(match[1]), name)
    except ValueError:
        return name


def _unshifted(part: str) -> str:
    if not part:
        return "&"
    padded = part.replace(",", "/") + "=" * (-len(part) % 4)
    return base64.b64decode(padded, validate=True).decode("utf-16-be")


def quoted(text: str) -> str:
    """ASCII text as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listed(line: bytes | tuple[bytes, bytes]) -> tuple[list[str], str] | None:
    """The flags and the name in an answer to LIST, the name still encoded; None where it is none."""
    head, literal = line if isinstance(line, tuple) else (line, None)
    match = _LISTED.search(head)
    if match is None:
        return None
    name = literal if literal is not None else match["name"].strip()
    text = name.decode("utf-8", "replace")
    if literal is None and text.startswith('"') and text.endswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return match["flags"].decode("ascii", "replace").split(), text
