"""Git on the host, as its own program."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from wand_proto.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from wand_server.integrations.devops.git.reading import (
    FIELDS,
    FORMAT,
    PUSHED,
    Branch,
    Commit,
    Diff,
    Hit,
    Line,
    Pulled,
    Pushed,
    Shown,
    Status,
    Tag,
    blamed,
    branch_of,
    commit_of,
    commits,
    diff_of,
    hit_of,
    listed,
    pushed,
    status_of,
    tag_of,
)
from wand_server.integrations.kit import (
    CommandIntegration,
    Directory,
    Operand,
    Page,
    Word,
    operation,
    options,
)

_QUIET = ("--no-color", "--no-ext-diff", "--no-textconv")
_ADDRESS = re.compile(r"(?:https?|ssh|git|file)://.+|/.+|\.\.?/.+|[\w.-]+@[\w.-]+:.+")
_PASSWORD = re.compile(r"\w+://[^/@]*:[^/@]*@")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(
            "must be an address such as https://HOST/PATH, ssh://HOST/PATH, USER@HOST:PATH or /PATH"
        )
    if _PASSWORD.match(text):
        raise ValueError("must not hold a password: commands are on record; let git on the host sign in")
    return text


Size = Annotated[int, Field(ge=1, le=200)]
Address = Annotated[Word, AfterValidator(_address), Field(examples=["https://a.example/b.git"])]
Paths = Annotated[tuple[Word, ...], Field(description="only these files and folders")]
Ref = Annotated[Operand, Field(description="branch, tag or commit")]


class Git(CommandIntegration):
    """Repositories on the host."""

    class Config(CommandIntegration.Config):
        """Nothing of its own."""

    program = "git"
    meanings = (
        (
            r"not a git repository|bad revision|unknown revision|not exist|did not match|not found|no such",
            NotFound,
        ),
        (r"[Aa]uthentication failed|Permission denied|could not read (?:Username|Password)", Denied),
        (r"Could not resolve host|unable to access|Connection (?:refused|timed out)|early EOF", Unavailable),
        (r"not a valid|invalid|ambiguous argument", Invalid),
    )

    @operation()
    async def clone_repo(
        self,
        url: Address,
        into: Annotated[Operand, Field(description="a folder that is not there yet")],
        branch: Word | None = None,
        depth: Annotated[int | None, Field(ge=1, description="only so many commits")] = None,
        directory: Directory = "",
    ) -> Commit:
        """Clone a repository: get a copy of it from a remote address onto the host."""
        asked = options(quiet=True, branch=branch, depth=depth)
        await self.run("clone", *asked, "--", url, into, directory=directory)
        inside = into if into.startswith("/") else f"{directory or '.'}/{into}"
        return await self._commit("HEAD", inside)

    @operation(read_only=True)
    async def get_status(self, directory: Directory = "") -> Status:
        """Tell the branch, and which files changed since the last commit: staged, untracked, in conflict."""
        ran = await self.run("status", "--porcelain=v2", "-z", "--branch", directory=directory)
        return status_of(ran.fields())

    @operation(read_only=True)
    async def get_log(
        self,
        directory: Directory = "",
        ref: Ref = "HEAD",
        paths: Paths = (),
        author: Word | None = None,
        grep: Annotated[Word | None, Field(description="an expression in the message")] = None,
        since: Annotated[Word | None, Field(description="such as 2026-11-01 or '2 weeks ago'")] = None,
        until: Word | None = None,
        limit: Size = 20,
        cursor: Annotated[str | None, Field(pattern=r"^\d{1,9}$")] = None,
    ) -> Page[Commit]:
        """Read the history: who committed what lately, on a branch or to a file, with message and date."""
        skip = int(cursor or 0)
        asked = options(max_count=limit + 1, skip=skip, author=author, grep=grep, since=since, until=until)
        words = ("log", "-z", "--no-color", f"--format={FORMAT}", *asked, ref, "--", *paths)
        found = list(commits((await self.run(*words, directory=directory)).fields()))
        more = str(skip + limit) if len(found) > limit else None
        return Page[Commit](items=tuple(found[:limit]), next_cursor=more)

    @operation(read_only=True)
    async def get_diff(
        self,
        directory: Directory = "",
        staged: Annotated[bool, Field(description="what is staged, not what is not")] = False,  # noqa: FBT002
        base: Annotated[Operand | None, Field(description="compare with this commit or branch")] = None,
        target: Annotated[Operand | None, Field(description="and this one, not the working tree")] = None,
        paths: Paths = (),
        context_lines: Annotated[int, Field(ge=0, le=100)] = 3,
    ) -> Diff:
        """Show what changed: uncommitted or staged changes, or the difference of two branches or commits."""
        if target and not base:
            raise Invalid("needs base as well", field="target")
        asked = ("-z", "--numstat", "--patch", *_QUIET, f"--unified={context_lines}", *options(cached=staged))
        refs = [each for each in (base, target) if each]
        return diff_of((await self.run("diff", *asked, *refs, "--", *paths, directory=directory)).text)

    @operation(read_only=True)
    async def show_commit(self, ref: Ref = "HEAD", directory: Directory = "", paths: Paths = ()) -> Shown:
        """Show one commit: its message, its author, and what it changed."""
        asked = ("-z", "--numstat", "--patch", *_QUIET, "--first-parent", "-m", f"--format={FORMAT}%x00")
        printed = (
            await self.run("show", *asked, f"{ref}^{{commit}}", "--", *paths, directory=directory)
        ).text
        *fields, rest = printed.split("\0", FIELDS)
        return Shown(commit=commit_of(fields), diff=diff_of(rest.lstrip("\0\n")))

    @operation(read_only=True)
    async def list_branches(
        self,
        directory: Directory = "",
        which: Literal["local", "remote", "all"] = "local",
        contains: Annotated[Word | None, Field(description="a commit")] = None,
    ) -> list[Branch]:
        """List branches, local and remote, the latest first, with what they track."""
        fields = ("refname", "objectname", "HEAD", "upstream:short", "upstream:track,nobracket")
        dated = ("committerdate:iso-strict", "contents:subject")
        kinds = {"local": ("refs/heads",), "remote": ("refs/remotes",), "all": ("refs/heads", "refs/remotes")}
        asked = options(sort="-committerdate", contains=contains, format=listed(*fields, *dated))
        ran = await self.run("for-each-ref", *asked, *kinds[which], directory=directory)
        return [branch_of(*line.split("\0")) for line in ran.lines()]

    @operation()
    async def create_branch(
        self, name: Operand, start: Ref = "HEAD", directory: Directory = "", *, check_out: bool = False
    ) -> Branch:
        """Create or start a branch, such as a feature branch, and check it out if wanted."""
        await self.run("branch", "--no-track", name, start, directory=directory)
        if check_out:
            await self.checkout_ref(ref=name, directory=directory)
        commit = await self._commit(f"refs/heads/{name}", directory)
        return Branch(name=name, commit=commit.commit, is_current=check_out, subject=commit.subject)

    @operation(idempotent=True)
    async def checkout_ref(self, ref: Ref, directory: Directory = "") -> Status:
        """Switch to a branch, a tag or a commit; uncommitted changes are kept, or it is refused."""
        await self.run("checkout", "--quiet", ref, "--", directory=directory)
        return await self.get_status(directory=directory)

    @operation()
    async def commit_changes(
        self,
        message: Annotated[str, Field(min_length=1, description="a line, and more after an empty one")],
        directory: Directory = "",
        paths: Annotated[tuple[Word, ...], Field(description="only these; none: what is staged")] = (),
        *,
        all_changes: Annotated[bool, Field(description="stage everything before, new files too")] = False,
        amend: Annotated[bool, Field(description="instead of the last commit")] = False,
    ) -> Commit:
        """Commit changes with a message: everything, some files, or what is staged."""
        if all_changes or paths:
            await self.run("add", "--all", "--", *(paths or (".",)), directory=directory)
        asked = ("--quiet", "--file=-", *options(amend=amend), "--", *paths)
        await self.run("commit", *asked, directory=directory, stdin=message)
        return await self._commit("HEAD", directory)

    @operation()
    async def push_branch(
        self,
        branch: Annotated[Operand, Field(description="HEAD: the current one")] = "HEAD",
        remote: Operand = "origin",
        directory: Directory = "",
        *,
        set_upstream: bool = False,
        force_with_lease: Annotated[bool, Field(description="though history was rewritten")] = False,
        tags: bool = False,
    ) -> list[Pushed]:
        """Push the commits of a branch to a remote."""
        asked = options(set_upstream=set_upstream, force_with_lease=force_with_lease, tags=tags)
        if branch.startswith(("+", ":")):
            raise Invalid("must be a branch; force_with_lease pushes over another history", field="branch")
        ran = await self.run("push", "--porcelain", *asked, remote, branch, directory=directory, good={0, 1})
        done = [pushed(line) for line in ran.lines() if line[:1] in PUSHED and line[1:2] == "\t"]
        if refused := [one for one in done if one.outcome == "rejected"]:
            hint = "pull_branch first, or force_with_lease if the remote's commits are to go"
            raise Conflict(f"{refused[0].to} does not take it: {refused[0].summary}", hint=hint)
        if ran.exit_code:
            raise self.failure(ran)
        return done

    @operation()
    async def pull_branch(
        self,
        directory: Directory = "",
        remote: Operand | None = None,
        branch: Operand | None = None,
        how: Literal["fast-forward", "merge", "rebase"] = "fast-forward",
    ) -> Pulled:
        """Pull: fetch the remote's commits and bring the current branch up to date with them."""
        if branch and not remote:
            raise Invalid("needs remote as well", field="branch")
        before = await self._commit("HEAD", directory)
        way = {"fast-forward": "--ff-only", "merge": "--no-rebase", "rebase": "--rebase"}[how]
        named = [each for each in (remote, branch) if each]
        await self.run("pull", "--quiet", way, *named, directory=directory)
        after = await self._commit("HEAD", directory)
        counted = ("rev-list", "--count", f"{before.commit}..{after.commit}", "--")
        number = int((await self.run(*counted, directory=directory)).text)
        return Pulled(before=before.commit, after=after.commit, commits=number)

    @operation(read_only=True)
    async def blame_file(
        self,
        path: Word,
        directory: Directory = "",
        ref: Ref | None = None,
        first_line: Annotated[int, Field(ge=1)] = 1,
        last_line: Annotated[int | None, Field(ge=1)] = None,
    ) -> list[Line]:
        """Tell who last changed each line of a file, when, and in which commit."""
        lines = f"{first_line},{last_line or ''}"
        refs = [ref] if ref else []
        asked = ("--line-porcelain", "-L", lines, *refs, "--", path)
        return list(blamed((await self.run("blame", *asked, directory=directory)).text))

    @operation(read_only=True)
    async def list_tags(
        self, directory: Directory = "", pattern: Word | None = None, limit: Size = 50
    ) -> list[Tag]:
        """List tags, such as releases, the newest first."""
        fields = (
            "refname:strip=2",
            "objectname",
            "*objectname",
            "creatordate:iso-strict",
            "contents:subject",
        )
        asked = options(sort="-creatordate", count=limit, format=listed(*fields))
        where = f"refs/tags/{pattern or ''}"
        ran = await self.run("for-each-ref", *asked, where, directory=directory)
        return [tag_of(*line.split("\0")) for line in ran.lines()]

    @operation(read_only=True)
    async def grep_repo(
        self,
        pattern: Word,
        directory: Directory = "",
        ref: Ref | None = None,
        paths: Paths = (),
        limit: Annotated[int, Field(ge=1, le=1000)] = 200,
        *,
        ignore_case: bool = False,
        literal: Annotated[bool, Field(description="a text, not an expression")] = False,
    ) -> list[Hit]:
        """Search the tracked files of a repository for a text or an expression."""
        kind = "--fixed-strings" if literal else "--extended-regexp"
        asked = ("-z", "-n", "-I", "--no-color", "--full-name", kind, *options(ignore_case=ignore_case))
        words = (*asked, f"-e{pattern}", *([ref] if ref else []), "--", *paths)
        ran = await self.run("grep", *words, directory=directory, good={0, 1})
        if ran.exit_code and ran.stderr:
            raise self.failure(ran)
        return [hit_of(line, f"{ref}:" if ref else "") for line in ran.lines()[:limit]]

    async def _commit(self, ref: str, directory: str) -> Commit:
        words = ("log", "-z", "--max-count=1", f"--format={FORMAT}", ref, "--")
        return commit_of((await self.run(*words, directory=directory)).fields())
