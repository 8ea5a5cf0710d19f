"""Git's operations against the real program, with bare repositories as remotes."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.localhost import LocalHost, acting
from wand_proto.errors import Conflict, Invalid, NotFound, Unavailable, WandError
from wand_server.integrations.devops.git import Git

WHO = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann",
       "GIT_COMMITTER_EMAIL": "ann@example.org", "GIT_CONFIG_GLOBAL": "/dev/null"}  # fmt: skip
ODD = "b é\n\t\"'.txt"  # a name that only a NUL can end


class Work:
    """A clone of a bare repository with two commits, and the service that acts on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clone = folder, folder / "clone"
        self.host = LocalHost(workspace=folder, environment=WHO)
        self.service = Git(Git.Config())
        self.git("init", "-q", "--bare", "-b", "main", "remote.git")
        self.git("init", "-q", "-b", "main", "first")
        for number, text in enumerate(("one\n", "one\ntwo\n"), 1):
            (folder / "first" / "a.txt").write_text(text)
            self.git("-C", "first", "add", "a.txt")
            self.git("-C", "first", "commit", "-qm", f"commit {number}\n\nits body")
        self.git("-C", "first", "push", "-q", "../remote.git", "main")

    def git(self, *words: str) -> str:
        environment = {**WHO, "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    async def do(self, operation: str, folder: str = "clone", /, **given: Any) -> Any:
        return await acting(self.host, self.service, operation, {"directory": folder, **given})

    async def cloned(self) -> "Work":
        await self.do("clone_repo", "", url=str(self.folder / "remote.git"), into="clone")
        return self


@pytest.fixture
async def work(tmp_path: Path) -> Work:
    return await Work(tmp_path).cloned()


async def test_a_clone_has_the_history_page_by_page(work: Work) -> None:
    first = await work.do("get_log", limit=1)
    assert [one["subject"] for one in first["items"]] == ["commit 2"]
    assert (first["items"][0]["author"], first["items"][0]["body"]) == ("Ann", "its body")
    second = await work.do("get_log", limit=1, cursor=first["next_cursor"])
    assert [one["subject"] for one in second["items"]] == ["commit 1"]
    assert "next_cursor" not in second
    assert (await work.do("get_log", grep="commit 1"))["items"] == second["items"]


async def test_status_tells_every_kind_of_change_and_any_name(work: Work) -> None:
    assert (await work.do("get_status"))["is_clean"] is True
    work.git("-C", "clone", "mv", "a.txt", "c.txt")
    (work.clone / "c.txt").write_text("one\ntwo\nthree\n")
    (work.clone / ODD).write_text("new")
    status = await work.do("get_status")
    assert status["changes"] == [{"path": "c.txt", "index": "R", "worktree": "M", "renamed_from": "a.txt"}]
    assert status["untracked"] == [ODD]
    assert (status["branch"], status["upstream"], status["ahead"]) == ("main", "origin/main", 0)


async def test_what_changed_is_told_with_numbers_and_patch(work: Work) -> None:
    work.git("-C", "clone", "mv", "a.txt", ODD)
    (work.clone / "bin").write_bytes(b"\0\1")
    work.git("-C", "clone", "add", "bin")
    staged = await work.do("get_diff", staged=True)
    assert staged["files"] == [
        {"path": ODD, "added": 0, "removed": 0, "renamed_from": "a.txt"},
        {"path": "bin", "renamed_from": ""},
    ]
    assert "rename from a.txt" in staged["patch"]
    between = await work.do("get_diff", base="HEAD~1", target="HEAD")
    assert between["files"] == [{"path": "a.txt", "added": 1, "removed": 0, "renamed_from": ""}]
    assert "+two" in between["patch"]
    assert await work.do("get_diff", paths=["nothing"]) == {"files": [], "patch": "", "is_cut": False}


async def test_a_commit_is_shown(work: Work) -> None:
    shown = await work.do("show_commit", ref="HEAD~1")
    assert (shown["commit"]["subject"], shown["commit"]["body"]) == ("commit 1", "its body")
    assert shown["diff"]["files"] == [{"path": "a.txt", "added": 1, "removed": 0, "renamed_from": ""}]


async def test_a_merge_is_shown_as_what_it_brought(work: Work) -> None:
    work.git("-C", "clone", "switch", "-qc", "side", "HEAD~1")
    (work.clone / "s.txt").write_text("s\n")
    work.git("-C", "clone", "add", ".")
    work.git("-C", "clone", "commit", "-qm", "side")
    work.git("-C", "clone", "switch", "-q", "main")
    work.git("-C", "clone", "merge", "-q", "--no-edit", "side")
    shown = await work.do("show_commit")
    assert (len(shown["commit"]["parents"]), [one["path"] for one in shown["diff"]["files"]]) == (
        2,
        ["s.txt"],
    )


async def test_work_is_committed_on_a_branch_and_pushed(work: Work) -> None:
    made = await work.do("create_branch", name="feature/x", check_out=True)
    assert (made["name"], made["is_current"]) == ("feature/x", True)
    (work.clone / "new.txt").write_text("new\n")
    message = 'Add a file\n\n-n is no option; "quotes" and $HOME are text'
    commit = await work.do("commit_changes", message=message, all_changes=True)
    assert f"{commit['subject']}\n\n{commit['body']}" == message
    (pushed,) = await work.do("push_branch", set_upstream=True)
    assert (pushed["outcome"], pushed["to"]) == ("new", "refs/heads/feature/x")
    assert work.git("-C", "remote.git", "rev-parse", "feature/x").strip() == commit["commit"]
    branches = await work.do("list_branches", which="all")
    assert {one["name"] for one in branches if one["is_remote"]} >= {"origin/feature/x", "origin/main"}
    assert [one["name"] for one in branches if one["is_current"]] == ["feature/x"]
    assert (await work.do("checkout_ref", ref="main"))["branch"] == "main"


async def test_only_what_is_named_is_committed(work: Work) -> None:
    for name in ("x.txt", "y.txt"):
        (work.clone / name).write_text("new")
    await work.do("commit_changes", message="x alone", paths=["x.txt"])
    assert (await work.do("get_status"))["untracked"] == ["y.txt"]
    with pytest.raises(Conflict, match="nothing"):
        await work.do("commit_changes", message="nothing is staged")
    await work.do("commit_changes", message="x, told otherwise", amend=True)
    assert len((await work.do("get_log"))["items"]) == 3


async def test_a_push_that_the_remote_refuses_and_the_pull_that_helps(work: Work) -> None:
    for name, folder in (("theirs", "first"), ("ours", "clone")):
        (work.folder / folder / f"{name}.txt").write_text(name)
        work.git("-C", folder, "add", ".")
        work.git("-C", folder, "commit", "-qm", name)
    work.git("-C", "first", "push", "-q", "../remote.git", "main")
    with pytest.raises(Conflict, match=r"fetch first") as refused:
        await work.do("push_branch")
    assert "pull_branch" in refused.value.hint
    with pytest.raises(Conflict, match="fast-forward"):
        await work.do("pull_branch")
    assert (await work.do("pull_branch", how="rebase"))["commits"] == 2
    assert [one["outcome"] for one in await work.do("push_branch")] == ["fast-forward"]
    assert (await work.do("push_branch"))[0]["outcome"] == "up to date"


async def test_lines_tags_and_hits(work: Work) -> None:
    blamed = await work.do("blame_file", path="a.txt", first_line=2)
    assert [(one["line"], one["subject"], one["text"]) for one in blamed] == [(2, "commit 2", "two")]
    work.git("-C", "clone", "tag", "v1", "HEAD~1")
    work.git("-C", "clone", "tag", "-am", "the second", "v2")
    tags = {one["name"]: one for one in await work.do("list_tags")}
    head, before = work.git("-C", "clone", "rev-parse", "HEAD", "HEAD~1").split()
    assert (tags["v1"]["commit"], tags["v2"]["commit"], tags["v2"]["subject"]) == (before, head, "the second")
    assert await work.do("grep_repo", pattern="TW", ignore_case=True) == [
        {"path": "a.txt", "line": 2, "text": "two"}
    ]
    assert [one["path"] for one in await work.do("grep_repo", pattern="one", ref="v1")] == ["a.txt"]
    assert await work.do("grep_repo", pattern="-x", literal=True) == []


async def test_much_is_read_whole(work: Work) -> None:
    (work.clone / "long.txt").write_text("".join(f"line {number}\n" for number in range(9000)))
    work.git("-C", "clone", "add", ".")
    hits = await work.do("grep_repo", pattern="line 89", limit=1000)
    assert len(hits) == 111
    assert (await work.do("get_diff", staged=True))["is_cut"] is True


@pytest.mark.parametrize(
    ("name", "given", "kind", "field"),
    [
        ("get_log", {"ref": "--output=/tmp/x"}, Invalid, "ref"),
        ("checkout_ref", {"ref": "-f"}, Invalid, "ref"),
        ("show_commit", {"ref": "nothing"}, NotFound, ""),
        ("create_branch", {"name": "--delete"}, Invalid, "name"),
        ("create_branch", {"name": "a..b"}, Invalid, ""),
        ("push_branch", {"remote": "--receive-pack=evil"}, Invalid, "remote"),
        ("push_branch", {"branch": ":main"}, Invalid, "branch"),
        ("pull_branch", {"remote": "--upload-pack=evil"}, Invalid, "remote"),
        ("clone_repo", {"url": "ext::sh -c evil", "into": "x"}, Invalid, "url"),
        ("clone_repo", {"url": "--upload-pack=evil", "into": "x"}, Invalid, "url"),
        ("clone_repo", {"url": "https://ann:secret@example.org/x", "into": "x"}, Invalid, "url"),
        ("clone_repo", {"url": "https://example.org/x", "into": "-x"}, Invalid, "into"),
        ("clone_repo", {"url": "http://127.0.0.1:9/x", "into": "x"}, Unavailable, ""),
        ("get_status", {"directory": "nowhere"}, NotFound, "directory"),
        ("blame_file", {"path": "nothing.txt"}, NotFound, ""),
        ("grep_repo", {"pattern": "(", "paths": []}, Conflict, ""),
        ("get_log", {"cursor": "-1"}, Invalid, "cursor"),
    ],
)
async def test_what_is_refused_is_told(
    work: Work, name: str, given: dict[str, Any], kind: type[WandError], field: str
) -> None:
    with pytest.raises(kind) as caught:
        await work.do(name, **given)
    assert (caught.value.field.split(".")[0], "secret" in str(caught.value)) == (field, False)


async def test_a_word_that_looks_like_an_option_stays_a_word(work: Work) -> None:
    (work.clone / "-rf").write_text("new")
    await work.do("commit_changes", message="odd", paths=["-rf"])
    assert [one["path"] for one in (await work.do("show_commit"))["diff"]["files"]] == ["-rf"]
    assert len((await work.do("get_log", paths=["-rf"]))["items"]) == 1
    assert [one["path"] for one in await work.do("grep_repo", pattern="new", paths=["-rf"])] == ["-rf"]
