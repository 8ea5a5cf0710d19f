"""A person's mailboxes by IMAP (RFC 3501): found, read, moved and marked.

A letter's id is the mailbox's validity and the letter's number in it: a mailbox that was built anew gives
numbers to other letters, and an id of before finds nothing then.
"""

import imaplib
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from wand_proto.errors import Conflict, Denied, Exhausted, Invalid, NotFound, Unavailable, WandError
from wand_server.integrations.chat.email.link import Progress, Server
from wand_server.integrations.chat.email.names import decoded, encoded, listed, quoted
from wand_server.integrations.chat.email.sending import Credential
from wand_server.integrations.kit.letters import MOST_BYTES

_NUMBERS = {name: re.compile(pattern) for name, pattern in {
    "uid": rb"\bUID (\d+)", "size": rb"\bRFC822\.SIZE (\d+)", "flags": rb"\bFLAGS \(([^)]*)\)",
}.items()}  # fmt: skip
_COPIED = re.compile(rb"\[(?:COPYUID|APPENDUID) (\d+) (?:[\d,:]+ )?(\d+)\]")
_ID = re.compile(r"^(\d{1,10})\.(\d{1,10})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A letter, or its head, as the server has it."""

    id: str
    flags: tuple[str, ...]
    size: int
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A mailbox."""

    name: str
    flags: tuple[str, ...]


class _Client(imaplib.IMAP4):
    """Python's, over a connection that is there already."""

    def __init__(self, server: Server, connection: socket.socket) -> None:
        self._given = connection
        super().__init__(server.host, server.port)

    def _create_socket(self, timeout: float | None) -> socket.socket:  # noqa: ARG002
        return self._given

    def read(self, size: int) -> bytes:
        if size > MOST_BYTES:
            raise Exhausted(f"a letter has more than {MOST_BYTES // 1024 // 1024} MiB")
        return super().read(size)


class Session:
    """One session with the server; use it in a thread, by `with`."""

    def __init__(
        self, server: Server, credential: Credential, connection: socket.socket, progress: Progress
    ) -> None:
        """Sign in.

        Raises:
            Denied: the server does not let us in.
        """
        self._progress, self._validity = progress, ""
        try:
            self._client = _Client(server, connection)
        except imaplib.IMAP4.error as why:
            raise Unavailable(f"{server.host} does not speak IMAP as it should: {why}") from why
        try:
            self._sign_in(server, credential)
        except imaplib.IMAP4.abort as why:
            self._client.shutdown()
            raise ConnectionError(_words(why)) from why
        except imaplib.IMAP4.error as why:
            self._client.shutdown()
            raise _not_let_in(server.host, _words(why)) from why
        except OSError:
            self._client.shutdown()
            raise

    def _sign_in(self, server: Server, credential: Credential) -> None:
        client = self._client
        if server.security == "starttls":
            client.starttls(server.context())
        if credential.token:
            client.authenticate("XOAUTH2", lambda _: credential.by_token.encode())
        elif "AUTH=PLAIN" in client.capabilities:
            client.authenticate("PLAIN", lambda _: credential.plain)
        else:
            client.login(quoted(credential.username), credential.password)
        _, said = client.capability()
        self._can = frozenset(_words(said).upper().split())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._client.logout()
        except (imaplib.IMAP4.error, OSError):
            self._client.shutdown()

    def boxes(self) -> list[Box]:
        """All mailboxes."""
        found = (listed(line) for line in self._ask("list", quoted(""), "*") if line is not None)
        return [Box(name=decoded(name), flags=tuple(flags)) for flags, name in filter(None, found)]

    def special(self, flag: str, *usual: str) -> str:
        """The mailbox of that use (RFC 6154), or else of a usual name; empty where there is none."""
        boxes = self.boxes()
        by_use = [box.name for box in boxes if flag in box.flags]
        by_name = [box.name for box in boxes if box.name.casefold() in usual]
        return next(iter([*by_use, *by_name]), "")

    def counts(self, name: str) -> tuple[int, int]:
        """How many letters a mailbox has, and how many of them are unread."""
        said = b" ".join(filter(None, self._ask("status", encoded(name), "(MESSAGES UNSEEN)")))
        found = dict(re.findall(rb"(MESSAGES|UNSEEN) (\d+)", said))
        return int(found.get(b"MESSAGES", 0)), int(found.get(b"UNSEEN", 0))

    def open(self, name: str, *, change: bool = False) -> None:
        """Go into a mailbox.

        Raises:
            NotFound: there is none of that name.
        """
        kind, said = self._told(self._client.select, encoded(name), not change)
        if kind != "OK":
            hint = "list_mailboxes tells which there are"
            raise NotFound(f"there is no mailbox {name!r:.80}: {_words(said)}", hint=hint, field="mailbox")
        self._validity = (self._client.response("UIDVALIDITY")[1] or [b""])[0].decode() or "0"

    def search(self, conditions: Sequence[tuple[str, str]], below: str) -> list[str]:
        """The ids of letters for which all hold, the newest first; only those before `below`, where given."""
        limits = ["UNDELETED", *([f"UID 1:{max(1, self._number(below) - 1)}"] if below else [])]
        plain = [f"{name} {quoted(word)}" if word else name for name, word in conditions if word.isascii()]
        found = set(self._numbers(" ".join([*limits, *plain])))
        for name, word in conditions:
            if not word.isascii():
                self._client.literal = word.encode()  # type: ignore[assignment] # as imaplib itself has it
                found &= set(self._numbers(f"CHARSET UTF-8 {name}"))
        last = self._number(below) if below else None
        kept = sorted((one for one in found if last is None or one < last), reverse=True)
        return [f"{self._validity}.{number}" for number in kept]

    def _numbers(self, criteria: str) -> Iterator[int]:
        for line in self._ask("uid", "SEARCH", criteria):
            yield from map(int, (line or b"").split())

    def heads(self, ids: Sequence[str]) -> list[Fetched]:
        """The heads of letters, in the order of the ids; those that have gone are left out."""
        wanted = "(UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (FROM TO CC SUBJECT DATE MESSAGE-ID)])"
        found = {one.id: one for one in self._fetch(ids, wanted)} if ids else {}
        return [found[one] for one in ids if one in found]

    def letter(self, id: str) -> Fetched:
        """A letter, whole; it stays unread.

        Raises:
            NotFound: it is not there.
            Exhausted: it is too large.
        """
        self.size(id)
        for fetched in self._fetch([id], "(UID FLAGS RFC822.SIZE BODY.PEEK[])"):
            return fetched
        raise _no_letter()  # it has gone since

    def size(self, id: str) -> int:
        """How large a letter is.

        Raises:
            NotFound: it is not there.
            Exhausted: it is too large.
        """
        said = b" ".join(
            one for one in self._ask("uid", "FETCH", str(self._number(id)), "(UID RFC822.SIZE)") if one
        )
        match = _NUMBERS["size"].search(said)
        if match is None:
            raise _no_letter()
        if int(match[1]) > MOST_BYTES:
            raise Exhausted(f"the letter has {match[1].decode()} bytes, and at most {MOST_BYTES} are read")
        return int(match[1])

    def mark(self, ids: Iterable[str], flags: str, *, on: bool) -> None:
        """Give letters flags, or take them."""
        self._change("uid", "STORE", self._set(ids), f"{'+' if on else '-'}FLAGS.SILENT", f"({flags})")

    def move(self, id: str, to: str) -> str:
        """Move a letter to another mailbox; its id there, where the server tells.

        Raises:
            NotFound: the letter, or the mailbox, is not there.
        """
        self.size(id)
        number = str(self._number(id))
        if "MOVE" in self._can:
            said = self._change("uid", "MOVE", number, encoded(to))
        else:
            said = self._change("uid", "COPY", number, encoded(to))
            self.remove(id)
        told = self._client.response("COPYUID")[1]
        return _copied(told) or _copied(said)

    def remove(self, id: str) -> None:
        """Delete a letter for good."""
        self.mark([id], "\\Deleted", on=True)
        if (
            "UIDPLUS" in self._can
        ):  # else it goes when the mailbox is cleared next: EXPUNGE would take others too
            self._change("uid", "EXPUNGE", str(self._number(id)))

    def append(self, to: str, raw: bytes, flags: str) -> str:
        """Put a letter into a mailbox; its id there, where the server tells."""
        self._progress.is_sent = True
        kind, said = self._told(self._client.append, encoded(to), f"({flags})", "", raw)
        self._progress.is_sent = False
        if kind != "OK":
            raise _refusal(said)
        return _copied(self._client.response("APPENDUID")[1]) or _copied(said)

    def _fetch(self, ids: Iterable[str], wanted: str) -> Iterator[Fetched]:
        answer = self._ask("uid", "FETCH", self._set(ids), wanted)
        for item, after in zip(answer, [*answer[1:], None], strict=True):
            if isinstance(item, tuple):
                head = item[0] + (after if isinstance(after, bytes) else b"")
                number, size, flags = (_NUMBERS[name].search(head) for name in ("uid", "size", "flags"))
                yield Fetched(
                    id=f"{self._validity}.{number[1].decode() if number else 0}",
                    flags=tuple(flags[1].decode("ascii", "replace").split()) if flags else (),
                    size=int(size[1]) if size else len(item[1]),
                    raw=item[1],
                )

    def _set(self, ids: Iterable[str]) -> str:
        return ",".join(str(self._number(one)) for one in ids)

    def _number(self, id: str) -> int:
        match = _ID.match(id)
        if match is None:
            raise Invalid("must be the id of a letter, from search_emails", field="id")
        if match[1] != self._validity:
            raise Conflict(
                "this id is of another mailbox, or of before it was built anew", hint="search again"
            )
        return int(match[2])

    def _change(self, command: str, *words: str) -> list[Any]:
        self._progress.is_sent = True
        answer = self._ask(command, *words)
        self._progress.is_sent = False
        return answer

    def _ask(self, command: str, *words: str) -> list[Any]:
        kind, said = self._told(getattr(self._client, command), *words)
        if kind != "OK":
            self._progress.is_sent = False
            raise _refusal(said)
        return list(said)

    def _told(self, command: Callable[..., tuple[str, Any]], *words: Any) -> tuple[str, Any]:
        try:
            return command(*words)
        except imaplib.IMAP4.abort as why:
            raise ConnectionError(_words(why)) from why
        except imaplib.IMAP4.error as why:
            self._progress.is_sent = False
            raise _refusal(why) from why


def _no_letter() -> NotFound:
    return NotFound("there is no letter of that id in this mailbox", hint="search for it", field="id")


def _copied(said: Iterable[object]) -> str:
    """The id in an answer that tells one (RFC 4315)."""
    for one in said or ():
        text = one if isinstance(one, bytes) else b""
        match = _COPIED.search(text) or re.match(rb"(\d+) (?:[\d,:]+ )?(\d+)$", text)
        if match:
            return f"{match[1].decode()}.{match[2].decode()}"
    return ""


def _not_let_in(host: str, said: str) -> WandError:
    if "[UNAVAILABLE]" in said:  # RFC 5530
        return Unavailable(f"{host} lets nobody in just now: {said}", hint="try again later")
    return Denied(f"{host} does not let us in: {said}", hint="wand-server integrations check")


def _refusal(said: object) -> WandError:
    text = _words(said)
    if "TRYCREATE" in text or "NONEXISTENT" in text:
        return NotFound(f"there is no such mailbox: {text}", hint="list_mailboxes tells which there are")
    if "OVERQUOTA" in text:
        return Exhausted(f"the mailbox is full: {text}")
    return Invalid(f"the mail server refuses: {text}")


def _words(said: object) -> str:
    parts = said if isinstance(said, list) else [said]
    shown = (one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in parts if one)
    return " ".join(" ".join(shown).split())[:300]
