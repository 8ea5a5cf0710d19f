"""Secrets are struck out of a record before it is written: each letter of them becomes a `*`.

What is looked for has the shape of a secret (a token of a known service, a password in an address, a
header) or the name of one before it. That is a guess, so a guess too many must not destroy evidence: lengths
stay, and a code of the true words, under the key of the record, stays with them. Who has the first key can
prove with it what was asked; who has not learns nothing from it.

A caller chooses the text, so every pattern is bounded: none looks at a letter more than a few dozen times.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wand_hostagent.launcher.digest import hmac_sha256
from wand_hostagent.launcher.record import canonical

_NAMES = (
    "password", "passwd", "passphrase", "passwort", "pwd", "secret", "token", "api[-_]?key", "access[-_]?key",
    "private[-_]?key", "account[-_]?key", "auth[-_]?key", "credential",
)  # fmt: skip
# After a name of a secret, these make it the name of something else: --token-file, PASSWORD_LENGTH.
_ELSE = r"(?![-_.]?(?:file|path|dir|name|url|uri|policy|length|count|type|id|ttl|field|prompt)s?\b)"
_HEADERS = r"authorization|x-[\w-]{0,40}(?:key|token|secret)|(?:private|deploy|job)-token|cookie"
_VALUE = r"""(?:"[^"]{0,4096}"|'[^']{0,4096}'|["']?[^\s"'&;,|)]+)"""
_SHAPES = (
    r"gh[opsur]_\w{20,}", r"github_pat_\w{20,}", r"gl(?:pat|cbt|rt)-[\w-]{16,}", r"xox[abeprs]-[\w-]{10,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}", r"sk-[\w-]{20,}", r"[rs]k_(?:live|test)_\w{16,}", r"AIza[\w-]{30,}",
    r"ya29\.[\w.-]{20,}", r"eyJ[\w-]{10,2000}\.[\w-]{10,}(?:\.[\w-]*)?", r"npm_\w{30,}", r"pypi-[\w-]{30,}",
    r"hf_\w{30,}", r"SG\.[\w-]{16,64}\.[\w-]{16,}", r"shp(?:at|ca|pa|ss)_[a-f0-9]{32}",
    r"do[opr]_v1_[a-f0-9]{64}", r"hv[sbr]\.[\w-]{20,}", r"AGE-SECRET-KEY-1\w{50,}", r"wand_[\w-]{30,}",
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END|\Z)",
)  # fmt: skip
# What every text has in small letters that a pattern could find something in: most have none of it.
_SIGNS = (
    "pass", "pwd", "secret", "token", "key", "credential", "authorization", "cookie", "@", "gh", "github_",
    "gl", "xox",
    "akia", "asia", "sk-", "k_live", "k_test", "aiza", "ya29", "eyj", "npm_", "pypi-", "hf_", "sg.", "shp",
    "_v1_", "hvs.", "hvb.", "hvr.", "wand_", "mysql", "mariadb", "curl", "docker", "podman", "ldapsearch",
)  # fmt: skip
# Words after which a secret comes, of programs where the name alone does not say it; and with none between.
_NEXT = {
    "sshpass": ("-p",), "docker": ("-p",), "podman": ("-p",), "ldapsearch": ("-w",),
    "curl": ("-u", "--user", "-U", "--proxy-user"),
}  # fmt: skip
_GLUED = {
    "sshpass": "-p",
    "mysql": "-p",
    "mysqldump": "-p",
    "mysqladmin": "-p",
    "mariadb": "-p",
    "curl": "-u",
}
_LAST = {"htpasswd": "b"}  # whose last word is one, where it has that letter
_TEXTS = ("message", "path", "directory")  # members that tell what somebody wrote, beside argv
_OPTION = re.compile(r"""(?:^|[\s"'])--?[\w.-]*\Z""")
_OPTION_LETTERS = 48  # how far back the dashes may be


class Pattern:
    """What is struck out; `names` are further names of secrets, as the administrator lists them."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        more = tuple(names)
        self._signs = (*_SIGNS, *(name.lower() for name in more))
        name = rf"(?:{'|'.join((*_NAMES, *map(re.escape, more)))}){_ELSE}s?(?:[-_.\d][\w.-]{{0,40}})?"
        self._named = re.compile(rf"(?i){name}[\"']?(\s{{0,4}}[=:]\s{{0,4}}|\s{{1,4}}(?!-))({_VALUE})")
        self._option = re.compile(rf"(?i)--?[\w.-]{{0,40}}?{name}\Z")
        self._header = re.compile(
            rf"(?i)\b(?:{_HEADERS})\s{{0,4}}:\s{{0,4}}(?:(?:bearer|basic|token|digest)\s{{1,4}})?([^\"'\r\n]+)"
            r"|://[^\s/@:\"']*:([^\s/@\"']+)@"
            r"|\bpass:(\S+)"
        )
        self._shape = re.compile(rf"(?s)(?<![\w-])(?:{'|'.join(_SHAPES)})")

    def __call__(self, fields: Mapping[str, Any], key: bytes) -> Mapping[str, Any]:
        """The fields as they may be written; where something was struck out they say so."""
        told = fields.get("argv")
        argv: list[str] = told if isinstance(told, list) else []
        texts = {name: text for name in _TEXTS if isinstance(text := fields.get(name), str)}
        if not (argv or texts) or not self._could_be(" ".join((*argv, *texts.values()))):
            return fields
        struck: dict[str, Any] = {}
        if (shown := self.words(argv)) != argv:
            struck = {"argv": shown, "argv_hmac": prove(key, argv)}
        struck |= {name: left for name, text in texts.items() if (left := self.text(text)) != text}
        return {**fields, **struck, "struck": sorted(struck.keys() - {"argv_hmac"})} if struck else fields

    def words(self, argv: Sequence[str]) -> list[str]:
        """A command line with its secrets struck out, each word as long as it was."""
        program = argv[0].rpartition("/")[2] if argv else ""
        follows, glued = _NEXT.get(program, ()), _GLUED.get(program, "")
        shown = [self.text(word) for word in argv]
        for at, word in enumerate(argv[1:], start=1):
            if argv[at - 1] in follows:
                shown[at] = _after_colon(word)
            elif self._option.match(argv[at - 1]) and not word.startswith("-"):
                shown[at] = "*" * len(word)
            elif glued and len(word) > 2 and word.startswith(glued):
                shown[at] = glued + _after_colon(word[2:])
        letter = _LAST.get(program, "")
        if letter and any(word.startswith("-") and letter in word for word in argv[1:-1]):
            shown[-1] = "*" * len(argv[-1])
        return shown

    def text(self, text: str) -> str:
        """A text with what looks like a secret struck out; it is as long as it was."""
        if not self._could_be(text):
            return text
        text = self._header.sub(_starred, text)
        return self._shape.sub(_stars, self._named.sub(_named, text))

    def _could_be(self, text: str) -> bool:
        small = text.lower()
        for sign in self._signs:  # noqa: SIM110 - for each record: a generator takes three times as long
            if sign in small:
                return True
        return False


def prove(key: bytes, argv: Sequence[str]) -> str:
    """The code that shows, to who has the record's key, that these were the true words."""
    return hmac_sha256(key, b"argv " + canonical(list(argv))).hex()


def _stars(found: re.Match[str]) -> str:
    return "*" * len(found[0])


def _starred(found: re.Match[str]) -> str:
    """The match, the group that took part in it struck out."""
    begin, end = found.span(found.lastindex or 0)
    at = found.start()
    return found[0][: begin - at] + "*" * (end - begin) + found[0][end - at :]


def _named(found: re.Match[str]) -> str:
    """A name and its secret: beside an equals sign or a colon, or, of an option, in the next word."""
    if not found[1].strip():
        before = found.string[max(0, found.start() - _OPTION_LETTERS) : found.start()]
        if not _OPTION.search(before):
            return found[0]
    return _starred(found)


def _after_colon(word: str) -> str:
    """A `user:password` keeps its user."""
    user, colon, password = word.partition(":")
    return user + colon + "*" * len(password) if colon else "*" * len(word)
