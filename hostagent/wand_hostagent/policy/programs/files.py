"""Programs that change files, pack them, or print what is packed."""

from wand_hostagent.policy.effects import NOTHING, Effects, Program, Use, effects, options
from wand_hostagent.policy.reading import HOLE


def _change(names: str, values: str = "", text: str = "") -> Program:
    """Programs that change files; `values` are their options that take a word of their own."""
    return Program(names=names, effects=effects("write"), options={"": options(plain=values, text=text)})


_CHANGE = (
    _change("cp mv ln", "-t= --target-directory= -S= --suffix="),
    _change("install", "-t= --target-directory= -S= --suffix= -m= --mode= -o= --owner= -g= --group="),
    _change("mkdir mkfifo", "-m= --mode="),
    _change("mktemp", "-p= --suffix="),
    _change("touch", "-t= -d= --date= -r= --reference="),
    _change("truncate", "-s= --size= -r= --reference="),
    _change("shred", "-n= --iterations= -s= --size="),
    _change("split csplit", "-a= -b= -C= -f= -l= -n= -t=", text="--filter="),
    _change("patch", "-B= -D= -d= --directory= -F= -i= --input= -o= --output= -p= --strip= -r= -V= -Y= -z="),
    _change("unzip", "-d= -P= -x="),
    _change("cpio", "-C= -D= --directory= -E= -F= --file= -H= -I= -M= -O= -R="),
    _change("setfacl setfattr", "-m= -M= -n= -v= -x= -X="),
    _change("iconv", "-f= -t= -o= --output="),
    _change(
        """rmdir tee chmod chown chgrp chattr dd gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd lz4 unlink link
        rename 7z 7za ar convert dos2unix unix2dos sponge"""
    ),
)


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

PROGRAMS = (*_CHANGE, RM, TAR, ZIP)
