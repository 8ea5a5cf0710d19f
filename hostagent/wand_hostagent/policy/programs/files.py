"""Programs that change files, pack them, or print what is packed."""

from wand_hostagent.policy.effects import NOTHING, Effects, Program, Use, effects, options
from wand_hostagent.policy.reading import HOLE

_CHANGE = Program(
    names="""cp mv mkdir rmdir touch ln tee truncate chmod chown chgrp install patch split csplit dd gzip
        gunzip bzip2 bunzip2 xz unxz zstd unzstd lz4 mktemp mkfifo shred unlink link rename unzip 7z 7za
        cpio ar convert iconv dos2unix unix2dos setfacl setfattr chattr sponge""",
    effects=effects("write"),
    options={"": options(text="--filter=", plain="-t= -m= -o= -g= -S= -d= -n= -l= -b= -p= -C=")},
)

_EVERYTHING = frozenset({"/", "/*", "~", "/" + HOLE, ".", "..", "*"})


def _rm(use: Use) -> Effects:
    """Removing the root, a home or whatever they hold is no work of a workshop."""
    return effects("escape") if any(_is_top(word) for word in use.operands) else NOTHING


def _is_top(word: str) -> bool:
    trimmed = word.rstrip("/*" + HOLE)
    return word[:1] == "/" and trimmed.count("/") < 2


RM = Program(names="rm", effects=effects("write"), refine=_rm)


def _tar(use: Use) -> Effects:
    """Listing is looking; whatever else writes. Old letters may stand without their dash."""
    letters = use.operands[0] if use.operands and use.words[:1] == use.operands[:1] else ""
    given = {name for name, _ in use.options} | {f"-{letter}" for letter in letters}
    if given & {"-t", "--list"} and not given & {
        "-x",
        "-c",
        "-r",
        "-u",
        "--extract",
        "--create",
        "--append",
        "--delete",
    }:
        return effects("read")
    return effects("write") | (effects("escape") if given & {"-P", "--absolute-names"} else NOTHING)


TAR = Program(
    names="tar bsdtar gtar",
    effects=NOTHING,
    options={
        "": options(
            text="--use-compress-program= -I=",
            text_escape="""--to-command= --rsh-command= --info-script= --new-volume-script= -F=
            --checkpoint-action= --rmt-command=""",
            plain="""-f= --file= -C= --directory= -X= -T= -L= -b= --exclude= --checkpoint
                --strip-components= --transform= --owner= --group= --mode= -V=""",
            read="-t --list",
            write="-x -c -r -u --extract --create --append --update --delete --remove-files",
        )
    },
    refine=_tar,
)

ZIP = Program(
    names="zip",
    effects=effects("write"),
    options={"": options(text="-TT= --unzip-command=", plain="-x= -i=")},
)

PROGRAMS = (_CHANGE, RM, TAR, ZIP)
