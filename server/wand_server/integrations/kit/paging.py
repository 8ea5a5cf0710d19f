"""How services hand out long lists; a caller sees `items` and one `next_cursor` whichever it is."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field

from wand_proto.errors import Invalid
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.request import Request, put_in

_LINK = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next\b')  # RFC 8288
_MOST_CHARACTERS = 4096


NextCursor = Annotated[str | None, Field(description="next_cursor of the answer before")]
"""An argument by which a caller goes on."""


class Paging(ABC):
    """One way."""

    @abstractmethod
    def ask(self, request: Request, cursor: str) -> None:
        """Make the request ask for what follows that cursor, which came from a caller.

        Raises:
            Invalid: it is none of ours.
        """

    @abstractmethod
    def read(self, request: Request, answered: Answered) -> tuple[Any, str | None]:
        """The items of an answer, and the cursor of what follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor(Paging):
    """The answer holds a mark, which the next request brings back."""

    items: str = ""  # where in the answer; empty: it is the list
    mark: str  # where in the answer
    sent_as: str = "cursor"
    more: str = ""  # where in the answer stands whether more follows, if the mark does not say that

    def ask(self, request: Request, cursor: str) -> None:
        _put(request, self.sent_as, cursor)

    def read(self, request: Request, answered: Answered) -> tuple[Any, str | None]:  # noqa: ARG002
        mark = found(answered.body, self.mark)
        is_last = mark in (None, "", False) or (self.more and not found(answered.body, self.more))
        return found(answered.body, self.items), None if is_last else str(mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Paging):
    """The request says which page, or from which item; a short answer is the last."""

    items: str = ""
    sent_as: str = "page"
    size: str  # the argument that says how many a page has
    by_items: bool = False  # the mark counts items, not pages
    first: int = 1  # of the pages

    def ask(self, request: Request, cursor: str) -> None:
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 12):
            raise Invalid("must be the next_cursor of an answer before", field="cursor")
        _put(request, self.sent_as, cursor)

    def read(self, request: Request, answered: Answered) -> tuple[Any, str | None]:
        items = found(answered.body, self.items)
        size = int(request.query.get(self.size) or _in_body(request, self.size) or 0)
        now = int(request.query.get(self.sent_as) or _in_body(request, self.sent_as) or self._first())
        if not isinstance(items, list) or not items or len(items) < size:
            return items, None
        return items, str(now + (len(items) if self.by_items else 1))

    def _first(self) -> int:
        return 0 if self.by_items else self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked(Paging):
    """The answer names the URL of what follows, in a Link header (RFC 8288) or in itself.

    Only its query counts: whoever answers must not choose where we go.
    """

    items: str = ""
    link: str = ""  # where in the answer; empty: in the header

    def ask(self, request: Request, cursor: str) -> None:
        if len(cursor) > _MOST_CHARACTERS:
            raise Invalid("must be the next_cursor of an answer before", field="cursor")
        request.query |= dict(parse_qsl(cursor, keep_blank_values=True))

    def read(self, request: Request, answered: Answered) -> tuple[Any, str | None]:  # noqa: ARG002
        url = found(answered.body, self.link) if self.link else _linked(answered.headers.get("link", ""))
        query = urlsplit(url).query if isinstance(url, str) else ""
        return found(answered.body, self.items), query or None


def found(body: Any, place: str) -> Any:
    """What stands at a dotted place in an answer; None where nothing does."""
    if isinstance(body, dict) and place in body:
        return body[place]  # a name may have dots of its own, as @odata.nextLink
    for name in place.split(".") if place else ():
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _linked(header: str) -> str:
    match = _LINK.search(header)
    return match[1] if match else ""


def _put(request: Request, name: str, value: str) -> None:
    if request.form is not None:
        request.form[name] = value
    elif isinstance(request.json, dict):
        request.json = dict(request.json)
        put_in(request.json, name, value)
    else:
        request.query[name] = value


def _in_body(request: Request, name: str) -> Any:
    body = request.form if request.form is not None else request.json
    return body.get(name) if isinstance(body, dict) else None
