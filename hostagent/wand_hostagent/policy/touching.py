"""Which files a command opens, as far as its words tell: redirections, and operands of known programs.

A rule about files that denies or asks bites there too. It never allows a command: what opens a file in a way
that no word shows is bounded by the box alone.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from wand_hostagent.model import FileVerb
from wand_hostagent.policy.effects import Use
from wand_hostagent.policy.programs.versions import leaves_a_program
from wand_hostagent.policy.reading import Command

Verbs = frozenset[FileVerb]
_CHANGES: Verbs = frozenset({FileVerb.WRITE, FileVerb.EDIT})
_READS: Verbs = frozenset({FileVerb.READ})
_LISTS: Verbs = frozenset({FileVerb.LIST})
_SCRIPTS = frozenset({"-e", "-f", "--expression", "--file", "--regexp"})
_OUTPUTS = frozenset({"-o", "--output", "-O", "--output-document"})
# Beside these, options of a program alone: what is written, and into which folder.
_WRITES: Mapping[str, frozenset[str]] = {
    name: frozenset(options.split())
    for names, options in (
        ("gcc g++ cc c++ clang clang++ ld rustc shuf iconv", "-o --output"),
        ("gpg", "-o --output"),
        ("openssl", "-out"),
        ("ssh-keygen", "-f"),
        ("find", "-fprint -fprint0 -fprintf -fls"),
        ("tar bsdtar gtar", "-C --directory"),
        ("unzip", "-d"),
        ("cpio", "-D --directory"),
        ("wget wget2", "-P --directory-prefix"),
        ("curl", "--output-dir"),
        ("git", "-o --output-directory"),
    )
    for name in names.split()
}
_HOOKS_FROM = "--template"  # of git: what lies there becomes the hooks
_INTO = frozenset({"-t", "--target-directory"})
_IN_PLACE = frozenset({"-i", "--in-place"})


@dataclass(frozen=True, slots=True)
class Touch:
    """A file that a command opens, as written, and what for: any of these verbs."""

    word: str
    verbs: Verbs


def touches(command: Command, use: Use | None) -> tuple[Touch, ...]:
    """The files that a command opens; `use` sorts its words, where the program is known."""
    found = [*_each(command.reads_from, _READS), *_each(command.writes_to, _CHANGES)]
    if use is not None:
        found += _each((value for name, value in use.options if name in _OUTPUTS and value != "-"), _CHANGES)
        found += _each(_values(use, _WRITES.get(command.name, frozenset())), _CHANGES)
        if operands := _OPERANDS.get(command.name):
            found += operands(use)
    return tuple(found)


def _values(use: Use, named: frozenset[str]) -> Iterator[str]:
    """What stands behind an option of these names, in the next word or behind an equals sign."""
    for word, following in zip_longest(use.words, use.words[1:], fillvalue=""):
        name, equals, value = word.partition("=")
        if name in named:
            yield value if equals else following


def _each(words: Iterable[str], verbs: Verbs) -> Iterator[Touch]:
    return (Touch(word, verbs) for word in words if word)


def _all(verbs: Verbs) -> "Operands":
    return lambda use: _each(use.operands, verbs)


def _copied(verbs: Verbs) -> "Operands":
    """From where, and to where: the last word, which may be a folder in which each gets its own name."""

    def found(use: Use) -> Iterator[Touch]:
        into = [value for option, value in use.options if option in _INTO]
        sources, targets = (use.operands, into) if into else (use.operands[:-1], list(use.operands[-1:]))
        yield from _each(sources, verbs)
        yield from _each(targets, _CHANGES)
        for target in targets:
            yield from _each((posixpath.join(target, posixpath.basename(one)) for one in sources), _CHANGES)

    return found


def _uniq(use: Use) -> Iterator[Touch]:
    """From the first into the second."""
    yield from _each(use.operands[:1], _READS)
    yield from _each(use.operands[1:], _CHANGES)


def _after_a_script(use: Use) -> Iterator[Touch]:
    """The first word is a pattern or a script, unless an option gave that."""
    given = {name for name, _ in use.options}
    words = use.operands if given & _SCRIPTS else use.operands[1:]
    return _each(words, _READS)


def _sed(use: Use) -> Iterator[Touch]:
    in_place = any(name in _IN_PLACE for name, _ in use.options)
    found = _after_a_script(use)
    return (Touch(one.word, _CHANGES if in_place else one.verbs) for one in found)


def _in_place(use: Use) -> Iterator[Touch]:
    """What perl -pi and its kin change; which word is a script and which a file, nobody tells."""
    words = [word for word in use.words if word.startswith("-") and not word.startswith("--")]
    return _each(use.operands if any("i" in word for word in words) else (), _CHANGES)


def _git(use: Use) -> Iterator[Touch]:
    """Its settings lie in a file, and hooks come from a template."""
    told = [word for word in use.operands if word not in ("set", "get")]
    if use.verb == "config" and len(told) > 1:
        file = ".gitconfig" if any(name == "--global" for name, _ in use.options) else ".git/config"
        yield from _each([file] if leaves_a_program(told[0]) else [], _CHANGES)
    if use.verb in ("init", "clone") and any(name == _HOOKS_FROM for name, _ in use.options):
        yield Touch(".git/hooks", _CHANGES)
    if use.verb in ("checkout", "restore") and "--" in use.words:
        yield from _each(use.words[use.words.index("--") + 1 :], _CHANGES)


def _dd(use: Use) -> Iterator[Touch]:
    for key, verbs in (("if", _READS), ("of", _CHANGES)):
        words = (word.partition("=") for word in use.operands)
        yield from _each((path for name, _, path in words if name == key), verbs)


Operands = Callable[[Use], Iterator[Touch]]
_NAMED: tuple[tuple[Operands, str], ...] = (
    (
        _all(_READS),
        """cat tac nl head tail wc rev cut paste join od hexdump xxd cmp diff diff3 sdiff comm strings base64
        base32 md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum less more bat file stat
        readelf nm objdump zcat bzcat xzcat zstdcat sort source .""",
    ),
    (_all(_LISTS), "ls dir du tree exa eza"),
    (
        _all(_CHANGES),
        """touch mkdir rmdir rm tee truncate shred unlink chmod chown chgrp gzip gunzip bzip2 bunzip2 xz unxz
        zstd unzstd sponge mktemp mkfifo dos2unix unix2dos setfacl patch""",
    ),
    (_copied(_READS), "cp install ln link"),
    (_copied(_CHANGES | _READS), "mv rename"),
    (_after_a_script, "grep egrep fgrep zgrep rg awk gawk mawk jq"),
    (_uniq, "uniq"),
    (_sed, "sed"),
    (_dd, "dd"),
    (_in_place, "perl ruby"),
    (_all(_CHANGES), "vi vim nvim nano emacs ed ex zip split"),
    (_git, "git"),
)
_OPERANDS: Mapping[str, Operands] = {name: found for found, names in _NAMED for name in names.split()}
