"""One JSON line on stderr for each event, or an entry of systemd's journal; secrets struck out."""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from wand_proto import journal
from wand_proto.context import REQUEST_ID
from wand_proto.errors import Invalid

LEVELS = ("debug", "info", "warning", "error")
_STRUCK = "[struck out]"
_MOST_TEXT, _MOST_LINE, _MOST_ITEMS, _MOST_DEPTH = 4096, 32 * 1024, 64, 6
_SECRET_NAME = re.compile(
    r"token|passw|passphrase|secret|authorization|cookie|credential|(^|[_.-]|api|private|access)key$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*-----|\Z)"
    r"|\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\bwand_[A-Za-z0-9_-]{20,}"  # our API keys
    r"|\b(AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"  # JSON Web Tokens
    r"|\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk-)[A-Za-z0-9_-]{16,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)|(?<=password=)[^\s&]+|(?<=token=)[^\s&]+|(?<=secret=)[^\s&]+|(?<=api_key=)[^\s&]+",
    re.DOTALL | re.IGNORECASE,
)
_SHORTEST_SECRET = 14  # characters, of what is told by itself: Basic, a space and eight more
_HARMLESS = re.compile(r"[\w:/]{0,19}")  # of these letters alone the shortest is a key of AWS, which has 20
_BASE = frozenset({"ts", "level", "component", "event", "request_id"})
_NUMBERS, _LISTS = (int, float), (list, tuple, set, frozenset)  # to make them costs more than to ask
_OURS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(component: str, level: str) -> None:
    """Send every log of this process to stderr, from `level` on ("debug", "info", "warning", "error")."""
    if level not in LEVELS:
        raise Invalid(f"must be one of {', '.join(LEVELS)}, not {level!r:.40}", field="log_level")
    formatter = Formatter(component)
    is_journal = journal.is_behind(sys.stderr)
    handler = journal.Handler(sys.stderr, formatter.told) if is_journal else logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(True)
    _ask_only_for_what_is_shown()


def _ask_only_for_what_is_shown() -> None:
    """Spare each record its thread, its process and its line of code: logging's HOWTO, "Optimization"."""
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False
    logging._srcfile = None  # noqa: SLF001 - what the HOWTO says to set


class Formatter(logging.Formatter):
    """Makes the line; it never raises and never makes two."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        fields = self.told(record)
        line = json.dumps(fields)
        if len(line) <= _MOST_LINE:
            return line
        return json.dumps({**{name: fields[name] for name in fields if name in _BASE}, "cut": _cut(fields)})

    def told(self, record: logging.LogRecord) -> dict[str, Any]:
        """What the line says, by name, secrets struck out."""
        base = {
            "ts": _moment(record.created),
            "level": record.levelname.lower(),
            "component": self._component,
            "event": _event(record),
            "request_id": REQUEST_ID.get(),
        }
        extra = {
            name if name not in base else f"{name}_": _clean(value, name)
            for name, value in record.__dict__.items()
            if name not in _OURS
        }
        if record.exc_info and record.exc_info[0]:
            extra["exception"] = strike(self.formatException(record.exc_info), keep_end=True)
        return {name: value for name, value in base.items() if value} | extra


def _moment(unix_seconds: float) -> str:
    whole, thousandths = divmod(int(unix_seconds * 1000), 1000)
    return f"{_second(whole)}.{thousandths:03d}Z"


@lru_cache(maxsize=1)  # for all lines of a second
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat()[: -len("+00:00")]


def _cut(fields: Mapping[str, Any]) -> list[str]:
    return sorted(fields.keys() - _BASE)[:_MOST_ITEMS]


def strike(text: str, *, keep_end: bool = False) -> str:
    """The text without what looks like a secret, and of bounded length."""
    if len(text) < _SHORTEST_SECRET and "=" not in text and "://" not in text:
        return text
    if _HARMLESS.fullmatch(text):
        return text
    most = 4 * _MOST_TEXT  # a secret across this cut falls to the next one
    clean = _SECRET_TEXT.sub(_STRUCK, text[-most:] if keep_end else text[:most])
    if len(clean) <= _MOST_TEXT and len(text) <= most:
        return clean
    return f"…{clean[-_MOST_TEXT:]}" if keep_end else f"{clean[:_MOST_TEXT]}…"


def struck(text: str) -> str:
    """The text without what looks like a secret, as long as it is."""
    return _SECRET_TEXT.sub(_STRUCK, text)


def _event(record: logging.LogRecord) -> str:
    try:
        return strike(record.getMessage())
    except (TypeError, ValueError, KeyError):
        return strike(str(record.msg))


def _clean(value: Any, name: str = "", depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_secret(name):
        return _STRUCK
    return strike(value) if type(value) is str else _clean_other(value, name, depth)


def _clean_other(value: Any, name: str, depth: int) -> Any:
    """A value that is no text."""
    if isinstance(value, _NUMBERS):
        return value if abs(value) < 2**63 else str(value)[:_MOST_TEXT]
    if isinstance(value, Mapping) and depth < _MOST_DEPTH:
        pairs = list(value.items())[:_MOST_ITEMS]
        return {strike(str(key)): _clean(each, str(key), depth + 1) for key, each in pairs}
    if isinstance(value, _LISTS) and depth < _MOST_DEPTH:
        return [_clean(each, name, depth + 1) for each in list(value)[:_MOST_ITEMS]]
    return strike(_text(value))


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value[: 5 * _MOST_TEXT].decode("utf-8", "backslashreplace")
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything, and a log line must not
        return f"<{type(value).__name__}>"
