"""Where a browser may be sent back to: which addresses a client may name, and whether one is meant."""

import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

MOST_CHARACTERS = 2000
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")  # RFC 3986, without a fragment's #
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?([/?].*)?")
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")  # of a private use: a domain turned around
_OURS = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})
_MOST_PORT = 65535


def wrong(uri: str, schemes: Collection[str]) -> str:
    """What is wrong with an address that a client names; nothing where it may be one.

    It is https, http on loopback, or a scheme of private use: one with a dot (RFC 8252), or one in `schemes`.
    """
    if len(uri) > MOST_CHARACTERS:
        return f"has more than {MOST_CHARACTERS} characters"
    if not _CHARACTERS.fullmatch(uri):
        return "has characters that an address must not have, or a fragment"
    if not _OURS.isdisjoint(name for name, _ in parse_qsl(uri.partition("?")[2], keep_blank_values=True)):
        return "has a parameter that the answer has"
    scheme, _, rest = uri.partition(":")
    if scheme == "http":
        return "" if is_loopback(uri) else "must be https, or http on loopback"
    return _wrong_https(uri) if scheme == "https" else _wrong_private(scheme, rest, schemes)


def _wrong_private(scheme: str, rest: str, schemes: Collection[str]) -> str:
    if scheme not in schemes and not _SCHEME.fullmatch(scheme):
        permitted = ", ".join(["https", "http on loopback", *schemes])
        return f"begins with a scheme that is not permitted; permitted are: {permitted}"
    if not rest:
        return "is no address"
    return "must not name a user" if "@" in rest.partition("?")[0] else ""


def _wrong_https(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return "has a host or a port that is none"
    if "@" in parts.netloc:
        return "must not name a user"
    if not uri.startswith("https://") or not _HOST.fullmatch(parts.hostname or ""):
        return "has no host, or a strange one"
    if parts.netloc != (parts.hostname if port is None else f"{parts.hostname}:{port}"):
        return "must have its host in lower case"
    return ""


def matches(registered: Iterable[str], asked: str) -> bool:
    """Whether it is one of those that the client named, letter by letter; on loopback, at any port."""
    return any(asked == one or _same_but_for_the_port(one, asked) for one in registered)


def _same_but_for_the_port(registered: str, asked: str) -> bool:
    ours, theirs = _loopback(registered), _loopback(asked)
    return ours is not None and ours == theirs


def _loopback(uri: str) -> tuple[str, str] | None:
    """Host and path of an address on loopback."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or not _CHARACTERS.fullmatch(uri):
        return None
    if found[2] and not 0 < int(found[2][1:]) <= _MOST_PORT:
        return None
    return found[1], found[3] or ""


def is_loopback(uri: str) -> bool:
    """Whether a program on the person's own computer listens there."""
    return _loopback(uri) is not None


def answer(uri: str, parameters: Mapping[str, str | None]) -> str:
    """The address with an answer in its query."""
    said = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{uri}{'&' if '?' in uri else '?'}{said}"


def told(uri: str) -> str:
    """Where that is, as a person understands it."""
    parts = urlsplit(uri)
    if is_loopback(uri):
        return f"a program on this computer ({parts.netloc})"
    return parts.netloc if parts.scheme == "https" else f"the program that opens {parts.scheme}: addresses"


def source(uri: str) -> str:
    """The address as a source in a Content-Security-Policy: a form's answer may lead there."""
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"} and "[" not in parts.netloc:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"  # the policy has no way to write an address of IPv6
