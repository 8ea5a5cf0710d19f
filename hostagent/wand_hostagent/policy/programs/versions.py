"""git, gh and their kin."""

import re

from wand_hostagent.policy.effects import NOTHING, Effect, Effects, Program, Use, effects, options, verbs
from wand_hostagent.policy.reading import HOLE

# Settings of git that are no more than looks, names and choices; every other may name a program to run.
_PLAIN_SETTINGS = (
    "user.",
    "color.",
    "advice.",
    "init.defaultbranch",
    "core.quotepath",
    "core.autocrlf",
    "core.abbrev",
    "log.",
    "commit.gpgsign",
    "tag.gpgsign",
    "push.default",
    "pull.rebase",
    "merge.conflictstyle",
    "diff.algorithm",
    "diff.context",
    "diff.renames",
    "diff.noprefix",
    "status.",
    "branch.sort",
    "tag.sort",
    "column.",
    "safe.directory",
    "grep.",
    "blame.",
    "protocol.version",
    "gc.auto",
    "pull.ff",
    "fetch.prune",
    "core.eol",
    "core.safecrlf",
    "core.sparsecheckout",
    "rebase.autos",
    "rerere.",
    "submodule.recurse",
    "core.filemode",
    "core.longpaths",
    "core.ignorecase",
)

_LISTS = {
    "branch": {"--list", "-l", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at"},
    "tag": {"--list", "-l", "--contains", "--no-contains", "--merged", "--points-at", "-n", "-v", "--verify"},
    "remote": {"-v", "--verbose"},
}
_LEADS = re.compile(
    r"(?is)remote\..*\.(?:push)?url|url\..*\.(?:push)?insteadof|remote\.pushdefault|branch\..*\.(?:push)?remote"
    r"|http\.(?:.*\.)?proxy|remote\..*\.proxy"
)
_INCLUDES = re.compile(r"(?is)include(?:if\..*)?\.path")  # any other may stand in that file
_CHANGES = {
    "-d",
    "-D",
    "-m",
    "-M",
    "-c",
    "-C",
    "-f",
    "-u",
    "--delete",
    "--move",
    "--copy",
    "--force",
    "--edit-description",
    "--unset-upstream",
    "--set-upstream-to",
}


def _git(use: Use) -> Effects:
    found: Effects = NOTHING
    for name, value in use.options:
        if name == "-c" and not value.lower().startswith(_PLAIN_SETTINGS):
            found |= effects("run")
    if _leads_elsewhere(use):
        found |= {Effect.SEND}
    if use.verb == "config":
        found |= _config(use)
    if use.verb in _LISTS:
        given = {name for name, _ in use.options}
        lists = not use.operands or bool(given & _LISTS[use.verb])
        found |= effects("read" if lists and not given & _CHANGES else "write")
    if use.verb in ("push", "fetch", "pull", "clone", "ls-remote", "archive", "submodule add"):
        found |= _remote(use)
    if use.verb == "push" and any(word.startswith((":", "+")) for word in use.operands):
        found |= effects("administer")
    return found


def _config(use: Use) -> Effects:
    keys = [word for word in use.operands if word not in ("get", "list", "set", "unset")]
    asks = {"--get", "--get-all", "--get-regexp", "--list", "-l", "--show-origin", "--get-urlmatch"}
    if asks & {name for name, _ in use.options} or use.operands[:1] in (("get",), ("list",)):
        return effects("read")
    if len(keys) > 1 and keys[0].lower().startswith(_PLAIN_SETTINGS):
        return effects("write")
    return effects("write run") if len(keys) > 1 else effects("read")


def _remote(use: Use) -> Effects:
    """A place that is named by its address, and not by what the repository calls it."""
    found: Effects = NOTHING
    for word in use.operands:
        if word.startswith(("ext::", "-")):
            found |= {Effect.ESCAPE}
    if use.verb == "push":
        asked = [*use.operands[:1], *(value for name, value in use.options if name == "--repo")]
        if any(":" in word or "/" in word or HOLE in word for word in asked):
            found |= {Effect.SEND}
    elif any(HOLE in word and ":" in word for word in use.operands):  # an address can carry what is here
        found |= {Effect.SEND}
    return found


def leaves_a_program(key: str) -> bool:
    """Whether a setting may name what git runs later, for whoever uses it then."""
    return not (key.lower().startswith(_PLAIN_SETTINGS) or _LEADS.fullmatch(key))


def _leads_elsewhere(use: Use) -> bool:
    """Whether it says anew where a name leads, so that what is pushed there later goes to another machine."""
    if use.verb == "remote" and use.operands[:1] in (("add",), ("set-url",)):
        return True
    told = [value.partition("=")[0] for name, value in use.options if name in ("-c", "--config")]
    if use.verb == "config":
        words = [word for word in use.operands if word != "set"]
        told += words[:1] if len(words) > 1 else []
    return any(_LEADS.fullmatch(key) or _INCLUDES.fullmatch(key) for key in told)


GIT = Program(
    names="git",
    verbs=verbs(
        read="""status log diff show blame annotate grep ls-files ls-tree rev-parse rev-list describe
            shortlog cat-file
        diff-tree diff-index diff-files for-each-ref name-rev merge-base show-ref show-branch var version
        help count-objects
        check-ignore check-attr whatchanged cherry reflog fsck verify-commit verify-tag range-diff
        stash/list stash/show
        worktree/list submodule/status bisect/log bisect/view notes/show notes/list remote/show
        remote/get-url lfs/ls-files
        bundle/verify bundle/list-heads reflog/show""",
        write="""add commit checkout switch restore reset rm mv merge rebase cherry-pick revert stash init
            clean gc
        apply am worktree notes sparse-checkout update-index read-tree write-tree commit-tree hash-object
        mktree update-ref
        symbolic-ref pack-refs prune repack bisect submodule bundle archive format-patch replace rerere
        stash/push stash/pop stash/apply stash/drop stash/clear worktree/add worktree/remove reflog/expire
        reflog/delete
        submodule/init submodule/deinit submodule/sync bisect/start bisect/good bisect/bad bisect/reset
        lfs/track""",
        fetch="""fetch pull clone ls-remote push remote/update submodule/update submodule/add lfs/pull
            lfs/fetch lfs/push""",
        depends="branch tag config remote",
        send="send-email request-pull send-pack imap-send",
        run="""filter-branch difftool mergetool citool gui bisect/run submodule/foreach credential daemon
            instaweb shell""",
    ),
    options={
        "": {
            **options(
                plain="""-C= --git-dir= --work-tree= --namespace= --no-pager -P --bare
                    --literal-pathspecs --no-optional-locks -c= --version""",
                run="--exec-path --config-env= -p --paginate",
            )
        },
        "log": options(write="--output=", run="--ext-diff --textconv", plain="-n= -S= -G= -L="),
        "show": options(write="--output=", run="--ext-diff"),
        "diff": options(write="--output=", run="--ext-diff", plain="-S= -G="),
        "grep": options(
            text="-O= --open-files-in-pager=", run="--ext-grep --textconv", plain="-e= -f= -A= -B= -C="
        ),
        "reflog": options(plain="-n="),
        "blame": options(plain="-L= -S="),
        "fsck": options(write="--lost-found"),
        "branch": options(plain="--sort= --format= --contains= -u= --set-upstream-to="),
        "commit": options(plain="-m= -F= -C= -c= --author= --date= -t= --fixup= --message= --file="),
        "tag": options(plain="-m= -F= -u= --sort= --format="),
        "rebase": options(text="-x= --exec=", plain="--onto= -s= -X="),
        "difftool": options(text="-x= --extcmd="),
        "archive": options(
            fetch="--remote=", text_escape="--exec=", plain="-o= --output= --format= --prefix="
        ),
        "clone": options(
            text_escape="-u= --upload-pack=",
            run="-c= --config= --template=",
            plain="-b= --branch= --depth= -o= -j=",
        ),
        "fetch": options(text_escape="--upload-pack=", plain="--depth= -j= -o="),
        "pull": options(text_escape="--upload-pack=", plain="-s= -X= --depth= -j="),
        "ls-remote": options(text_escape="--upload-pack= --exec=", plain="--sort= -o="),
        "push": options(
            text_escape="--receive-pack= --exec=",
            administer="""--force -f --force-with-lease --mirror --delete -d --prune --force-if-includes
                --no-verify""",
            plain="-o= --repo= --push-option=",
        ),
        "init": options(run="--template="),
        "worktree": options(plain="-b= -B="),
        "checkout": options(plain="-b= -B= --orphan="),
        "switch": options(plain="-c= -C="),
        "remote": options(plain="-t= -m="),
        "config": options(run="--edit -e", plain="--file= -f= --type= --default= --blob="),
    },
    refine=_git,
    neutral={"GIT_PAGER": "cat", "PAGER": "cat", "GIT_TERMINAL_PROMPT": "0"},
    still={
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": "false",
        "GIT_CONFIG_KEY_1": "core.hooksPath",
        "GIT_CONFIG_VALUE_1": "/dev/null",
    },
)

GH = Program(
    names="gh glab",
    effects=effects("administer"),
    verbs=verbs(
        read="version help completion",
        fetch="""status browse search pr/view pr/list pr/diff pr/status pr/checks pr/checkout issue/view
            issue/list issue/status
        repo/view repo/list repo/clone run/view run/list run/watch run/download release/view release/list
        release/download
        workflow/view workflow/list label/list gist/list gist/view ruleset/list ruleset/view org/list
        pr/create pr/comment pr/edit pr/ready pr/review issue/create issue/comment issue/edit label/create
        auth/status
        mr/list mr/view mr/create mr/note""",
        send="gist/create release/create release/upload",
    ),
    options={
        "": options(
            plain="-R= --repo= -t= --title= -b= --body= -F= -B= -H= -l= -a= -L= -q= --jq= --json= -s="
        )
    },
    abbreviates=False,
    neutral={"GH_PAGER": "cat", "PAGER": "cat", "GH_PROMPT_DISABLED": "1"},
)

PROGRAMS = (GIT, GH)
