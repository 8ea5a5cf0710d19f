"""What git prints, read."""

import re
from collections.abc import Iterator, Sequence

from wand_proto.errors import Broken
from wand_server.integrations.kit import Resource

_MOST_CHARACTERS = 40_000  # of a patch
FORMAT = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%s%x00%b"
FIELDS = 7  # of that
_NUMBERS = re.compile(r"(\d+|-)\t(\d+|-)\t(.*)", re.DOTALL)
PUSHED = {"*": "new", " ": "fast-forward", "+": "forced", "-": "deleted", "=": "up to date", "!": "rejected"}


class Entry(Resource):
    """One file that differs; `index` is what is staged, `worktree` what is not, in git's letters."""

    path: str
    index: str
    worktree: str
    renamed_from: str = ""


class Status(Resource):
    """Where the repository stands."""

    branch: str = ""
    commit: str = ""
    upstream: str = ""
    ahead: int = 0
    behind: int = 0
    is_clean: bool = True
    changes: tuple[Entry, ...] = ()
    untracked: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


class Commit(Resource):
    commit: str
    parents: tuple[str, ...] = ()
    author: str = ""
    email: str = ""
    date: str = ""
    subject: str = ""
    body: str = ""


class Changed(Resource):
    path: str
    added: int | None = None  # lines; None where it is binary
    removed: int | None = None
    renamed_from: str = ""


class Diff(Resource):
    """What differs; `is_cut` where the patch goes on."""

    files: tuple[Changed, ...] = ()
    patch: str = ""
    is_cut: bool = False


class Shown(Resource):
    commit: Commit
    diff: Diff


class Branch(Resource):
    name: str
    commit: str
    is_current: bool = False
    is_remote: bool = False
    upstream: str = ""
    track: str = ""  # "ahead 1, behind 2", "gone"
    date: str = ""
    subject: str = ""


class Tag(Resource):
    name: str
    commit: str
    date: str = ""
    subject: str = ""


class Pushed(Resource):
    ref: str
    to: str
    outcome: str
    summary: str = ""


class Pulled(Resource):
    before: str
    after: str
    commits: int


class Line(Resource):
    line: int
    commit: str
    author: str
    date_unix_seconds: int
    subject: str
    text: str


class Hit(Resource):
    path: str
    line: int
    text: str


def listed(*fields: str) -> str:
    return "%00".join(f"%({field})" for field in fields)


def commits(fields: Sequence[str]) -> Iterator[Commit]:
    for at in range(0, len(fields) - FIELDS + 1, FIELDS):
        commit, parents, author, email, date, subject, body = fields[at : at + FIELDS]
        yield Commit(
            commit=commit.lstrip("\n"),
            parents=tuple(parents.split()),
            author=author,
            email=email,
            date=date,
            subject=subject,
            body=body.strip(),
        )


def commit_of(fields: Sequence[str]) -> Commit:
    """The one commit that is told.

    Raises:
        Broken: there is none.
    """
    for commit in commits(fields):
        return commit
    raise Broken("git told of no commit")


def status_of(fields: Sequence[str]) -> Status:
    """Of git's format "v2"; of a file that was renamed, the old name is a field of its own."""
    told, rest = dict[str, str](), iter(fields)
    changes, untracked, conflicts = list[Entry](), list[str](), list[str]()
    for field in rest:
        match field[:2]:
            case "# ":
                name, _, value = field[2:].partition(" ")
                told[name] = value
            case "? ":
                untracked.append(field[2:])
            case "u ":
                conflicts.append(field.split(" ", 10)[10])
            case "1 ":
                changes.append(_entry(field, field.split(" ", 8)[8]))
            case "2 ":
                changes.append(_entry(field, field.split(" ", 9)[9], next(rest, "")))
    ahead, _, behind = told.get("branch.ab", "+0 -0").partition(" ")
    return Status(
        branch=told.get("branch.head", ""),
        commit=told.get("branch.oid", ""),
        upstream=told.get("branch.upstream", ""),
        ahead=abs(int(ahead)),
        behind=abs(int(behind)),
        is_clean=not (changes or untracked or conflicts),
        changes=tuple(changes),
        untracked=tuple(untracked),
        conflicts=tuple(conflicts),
    )


def _entry(field: str, path: str, renamed_from: str = "") -> Entry:
    return Entry(path=path, index=field[2], worktree=field[3], renamed_from=renamed_from)


def diff_of(text: str) -> Diff:
    """Of numbers, a NUL after each path and one more after all, and then the patch."""
    pieces, files, at = text.split("\0"), list[Changed](), 0
    while at < len(pieces) and (match := _NUMBERS.fullmatch(pieces[at])):
        old, path = ("", match[3]) if match[3] else (pieces[at + 1], pieces[at + 2])
        at += 1 if match[3] else 3
        files.append(Changed(path=path, added=_count(match[1]), removed=_count(match[2]), renamed_from=old))
    patch = "\0".join(pieces[at + 1 :])
    return Diff(files=tuple(files), patch=patch[:_MOST_CHARACTERS], is_cut=len(patch) > _MOST_CHARACTERS)


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


def branch_of(ref: str, commit: str, head: str, upstream: str, track: str, date: str, subject: str) -> Branch:
    is_remote = ref.startswith("refs/remotes/")
    return Branch(
        name=ref.removeprefix("refs/remotes/" if is_remote else "refs/heads/"),
        commit=commit,
        is_current=head == "*",
        is_remote=is_remote,
        upstream=upstream,
        track=track,
        date=date,
        subject=subject,
    )


def tag_of(name: str, made: str, commit: str, date: str, subject: str) -> Tag:
    return Tag(name=name, commit=commit or made, date=date, subject=subject)


def pushed(line: str) -> Pushed:
    flag, _, rest = line.partition("\t")
    refs, _, summary = rest.partition("\t")
    ref, _, to = refs.rpartition(":")
    return Pushed(ref=ref, to=to, outcome=PUSHED[flag], summary=summary)


def blamed(text: str) -> Iterator[Line]:
    """Of git's "line porcelain": a head, fields of a line each, and the line itself behind a tab."""
    told = dict[str, str]()
    for line in text.split("\n"):
        if line.startswith("\t"):
            yield Line(
                line=int(told["at"]),
                commit=told["commit"],
                author=told.get("author", ""),
                date_unix_seconds=int(told.get("author-time", 0)),
                subject=told.get("summary", ""),
                text=line[1:],
            )
            told = {}
        elif not told:
            commit, _, numbers = line.partition(" ")
            told = {"commit": commit, "at": numbers.split(" ")[1]} if numbers else {}
        else:
            name, _, value = line.partition(" ")
            told[name] = value


def hit_of(line: str, before: str) -> Hit:
    path, _, rest = line.partition("\0")
    number, _, text = rest.partition("\0")
    return Hit(path=path.removeprefix(before), line=int(number), text=text)
