"""Programs that look: files, text, and what the machine does."""

import re

from wand_hostagent.policy.effects import NOTHING, READ, Effects, Program, Use, effects, options
from wand_hostagent.policy.reading import HOLE

_PLAIN = Program(
    names="""ls cat head tail wc stat readlink realpath basename dirname pwd nl tac rev cut tr paste join comm
    fold fmt column expand unexpand od hexdump cmp diff diff3 sdiff md5sum sha1sum sha224sum sha256sum
    sha384sum sha512sum b2sum cksum sum du df free uptime uname env time arch nproc cal id whoami groups
    who w users last tty locale printenv seq factor expr test [ true false echo printf sleep
    lsblk lscpu lsmem lsusb lspci ps pgrep pstree top vmstat iostat mpstat pidof lsof netstat jq grep
    egrep fgrep zgrep zcat bzcat xzcat zstdcat which whereis type strings readelf nm objdump size ldd
    numfmt ptx tsort look getconf yes exa eza""",
    effects=READ,
)
_BITING = (  # they look as well, but for a few options
    Program(
        names="tree",
        effects=READ,
        options={"": options(write="-o=", plain="-L= -P= -I=")},
        abbreviates=False,
    ),
    Program(names="file", effects=READ, options={"": options(write="-C --compile", plain="-f= -m=")}),
    Program(names="date", effects=READ, options={"": options(administer="-s= --set=", plain="-d= -r= -f=")}),
    Program(
        names="hostname",
        effects=READ,
        options={"": options(administer="-F= --file= -b")},
        refine=lambda use: effects("administer") if use.operands else NOTHING,
    ),
    Program(
        names="man less more bat",
        effects=READ,
        options={
            "": options(text="-P= --pager= --preprocessor=", run="-H --html", write="-o= -O= --log-file=")
        },
    ),
    Program(names="ss fuser", effects=READ, options={"": options(administer="-K -k --kill")}),
)

UNIQ = Program(
    names="uniq",
    effects=READ,
    options={"": options(plain="-f= -s= -w=")},
    refine=lambda use: effects("write") if len(use.operands) > 1 else NOTHING,
)
SORT = Program(
    names="sort shuf",
    effects=READ,
    options={
        "": options(
            text="--compress-program=",
            plain="-k= -t= -S= -T= -n -r -u -i= --parallel=",
            write="-o= --output=",
        )
    },
)

RG = Program(
    names="rg ag ack",
    effects=READ,
    options={
        "": options(
            text="--pre= --pager= --hostname-bin=", plain="-e= -f= -g= -t= -T= -A= -B= -C= -m= -j= -M= -r="
        )
    },
)

_FIND_WRITES = frozenset({"-delete", "-fprint", "-fprint0", "-fprintf", "-fls"})
FIND = Program(
    names="find",
    effects=READ,
    options={
        "": options(
            write="-delete -fprint= -fprint0= -fprintf= -fls=",
            plain="-name= -iname= -path= -type= -newer= -size= -mtime= -maxdepth= -mindepth= -user= -printf=",
        )
    },
    words_are_long=True,
    abbreviates=False,
)

FD = Program(names="fd fdfind", effects=READ, options={"": options(plain="-e= -t= -E= -d= -x -X -c= -j=")})


def _sed(use: Use) -> Effects:
    """What sed's scripts do beyond printing: e runs, w writes, and so do the flags of s."""
    scripts = [value for name, value in use.options if name in ("-e", "--expression")]
    scripts = scripts or list(use.operands[:1])
    if any(name in ("-f", "--file") for name, _ in use.options):
        return effects("run write")
    return effects("run write") if any(not _is_plain_sed(script) for script in scripts) else NOTHING


def _is_plain_sed(script: str) -> bool:
    """Whether a script is one of a few forms that print, delete or replace."""
    if HOLE in script:
        return False
    return all(_SED_COMMAND.fullmatch(part.strip()) for part in _SED_SPLIT.split(script) if part.strip())


_ADDRESS = r"(?:\d+|\$|/(?:[^/\\]|\\.)*/)(?:[~,]\+?(?:\d+|\$|/(?:[^/\\]|\\.)*/))?"
_SED_REPLACES = r"s([/|#,:@])(?:(?!\1)[^\\\n]|\\.)*\1(?:(?!\1)[^\\\n]|\\.)*\1[gpiI\d]*"
_SED_COMMAND = re.compile(rf"(?:{_ADDRESS})?\s*!?\s*(?:[pdqQ=lnNDPhHgGx]|{_SED_REPLACES})")
_SED_SPLIT = re.compile(r"[;\n]")

SED = Program(
    names="sed gsed",
    effects=READ,
    options={"": options(write="-i --in-place", plain="-e= --expression= -f= --file= -l= -n -r -E")},
    refine=_sed,
)


def _awk(use: Use) -> Effects:
    """What awk's program does beyond printing: system, pipes, files, extensions."""
    script = use.operands[0] if use.operands else ""
    given = {name for name, _ in use.options}
    if given & {"-f", "--file", "-i", "--include", "-l", "--load", "-E", "--exec"} or not script:
        return effects("run write")
    if HOLE in script or re.search(
        r"system|getline|\||>|@|ENVIRON|close|printf?\s*\(.*\)\s*>|-->", _without_tests(script)
    ):
        return effects("run write")
    return NOTHING


def _without_tests(script: str) -> str:
    """The script without what only compares: `$3 > 5` before a brace, and `||`."""
    return re.sub(
        r"\|\||>=|(?<=[\w)])\s*>\s*(?=[\d.]+\s*(?:\{|$|&&|\)))",
        " ",
        re.sub(r'/(?:[^/\\\n"]|\\.)*/', "//", script),
    )


AWK = Program(
    names="awk gawk mawk nawk",
    effects=READ,
    options={"": options(plain="-F= -v= --assign= --field-separator= -f= --file= -i= -l= -E=")},
    refine=_awk,
)

JOURNAL = Program(
    names="journalctl dmesg",
    effects=READ,
    options={
        "": options(
            plain="""-u= --unit= -n= --lines= -S= --since= -U= --until= -p= --priority= -o= --output= -t=
                -g= --grep= -b -k -f -r""",
            administer="""--rotate --vacuum-size= --vacuum-time= --vacuum-files= --sync --flush
                --setup-keys --relinquish-var --update-catalog -c -C --clear --console-off --console-on
                --console-level=""",
            run="--file= -D= --directory= --root= --image= -M= --machine= --namespace= -i=",
        )
    },
    neutral={"SYSTEMD_PAGER": "", "PAGER": "cat"},
)

SYSTEMCTL = Program(
    names="""systemctl service loginctl hostnamectl timedatectl resolvectl networkctl systemd-analyze""",
    effects=effects("administer"),
    verbs=dict.fromkeys(
        [
            "status",
            "show",
            "cat",
            "is-active",
            "is-enabled",
            "is-failed",
            "list-units",
            "list-unit-files",
            "list-timers",
            "list-sockets",
            "list-dependencies",
            "list-jobs",
            "get-default",
            "is-system-running",
            "help",
            "show-environment",
            "list-sessions",
            "list-users",
            "session-status",
            "user-status",
            "blame",
            "critical-chain",
            "verify",
            "security",
            "calendar",
            "timespan",
            "dump",
            "list",
        ],
        READ,
    ),
    options={
        "": options(
            plain="-n= --lines= -t= --type= -p= --property= -o= --output= --state= -l -a",
            administer="-H= --host= -M= --machine= --root= --image=",
        )
    },
    neutral={"SYSTEMD_PAGER": "", "PAGER": "cat"},
)

PROGRAMS = (_PLAIN, *_BITING, UNIQ, SORT, RG, FIND, FD, SED, AWK, JOURNAL, SYSTEMCTL)
