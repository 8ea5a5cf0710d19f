"""What PostgreSQL complains of, in the words of Wand's errors (its appendix A has the codes)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from wand_proto.errors import (
    Ambiguous,
    Conflict,
    Denied,
    Exhausted,
    Invalid,
    NotFound,
    TimedOut,
    Unavailable,
    WandError,
)

_KINDS: tuple[tuple[str, type[WandError]], ...] = (
    ("25006", Denied), ("42501", Denied), ("28", Denied), ("3D000", NotFound), ("57014", TimedOut),
    ("55P03", TimedOut), ("42", Invalid), ("22", Invalid), ("26", Invalid), ("0A", Invalid),
    ("53", Exhausted), ("54", Exhausted), ("57P", Unavailable), ("08", Unavailable),
)  # fmt: skip
_HINTS = {
    "25006": "this is a read-only transaction; execute_statement changes something, where permitted",
    "57014": "ask for less, add a WHERE or an index; explain_query tells what it would do",
    "40001": "try again",
    "40P01": "try again",
    "42P18": "give parameters a type: $1::int",
}
_ARGUMENT = re.compile(r"invalid input for query argument \$(\d+): (.*)", re.DOTALL)


_NO_TLS = 'it speaks no TLS; on this machine, or a network of which you are sure, set tls = "off"'


@contextmanager
def telling(*, may_be_done: bool = False) -> Iterator[None]:
    """Raise what is raised within as an error of ours; `may_be_done` where a connection breaks."""
    try:
        yield
    except asyncpg.PostgresError as why:
        raise _told(why) from None
    except asyncpg.InterfaceError as why:
        raise _ours(why, may_be_done=may_be_done) from None
    except (OSError, asyncpg.InternalClientError) as why:
        raise _lost(why, may_be_done=may_be_done) from None


def _told(why: asyncpg.PostgresError) -> WandError:
    """What the database said, or its client of a value that it could not send."""
    if match := _ARGUMENT.search(str(why)):
        return Invalid(f"${match[1]} does not fit: {match[2].splitlines()[0]}", field="parameters")
    code = why.sqlstate or ""
    kind = next((kind for begin, kind in _KINDS if code.startswith(begin)), Conflict)
    parts = [str(why), getattr(why, "detail", None), getattr(why, "hint", None)]
    position = getattr(why, "position", None)
    said = ". ".join(part for part in parts if part) + (f" (at character {position})" if position else "")
    return kind(f"{said} [{code}]", hint=_HINTS.get(code, ""), field="query" if kind is Invalid else "")


def _ours(why: Exception, *, may_be_done: bool) -> WandError:
    """What its client said, before anything was sent or after the connection was gone."""
    if "cannot decode" in str(why):
        return Invalid(str(why).partition("\n")[0], hint="have it as text: column::text", field="query")
    if "expects" in str(why) or isinstance(why, ValueError):
        return Invalid(str(why).splitlines()[0], field="parameters")
    return _lost(why, may_be_done=may_be_done)


def _lost(why: Exception, *, may_be_done: bool) -> WandError:
    if isinstance(why, TimeoutError) and not may_be_done:
        return TimedOut("there was no answer in time", hint=_HINTS["57014"])
    if may_be_done:
        said = f"the connection broke, and it may have been done, or not: {_words(why)}"
        return Ambiguous(said, hint="look whether it was, before you ask again")
    hint = _NO_TLS if "rejected SSL upgrade" in str(why) else ""
    return Unavailable(f"cannot be reached: {_words(why)}", hint=hint)


def _words(why: Exception) -> str:
    strerror = getattr(why, "strerror", None)
    said = str(strerror).lower() if strerror else str(why).partition("\n")[0]
    return said or type(why).__name__
