"""The page docs/tutorial/install.md, followed word for word by a person in a fresh guest."""

import re
from collections.abc import Iterator

from guest.machine import Guest, Wrong
from support.tree import ROOT

_PAGE = ROOT / "docs" / "tutorial" / "install.md"
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_BUILDS = "./dev"  # begins what is done on another machine


def follow(guest: Guest) -> str:
    """Do what stands there, and see after each act what the page says that one sees."""
    guest.do("useradd", "--create-home", "--shell", "/bin/bash", "ann")
    guest.do("tee", "/etc/sudoers.d/ann", put="ann ALL=(ALL) NOPASSWD: ALL\n")
    guest.sh("mkdir /home/ann/dist; cp /srv/packages/*-1_*.deb /home/ann/dist; chown -R ann /home/ann")
    said, count = "", 0
    for kind, text in blocks():
        if kind == "text":
            missing = [line for line in text.splitlines() if line not in said]
            if missing:
                raise Wrong(f"not seen: {missing}; but: {said[-800:]}")
        elif not text.startswith(_BUILDS):
            said, count = _typed(guest, text), count + 1
    return f"{count} things typed, and what the page shows was seen"


def blocks() -> Iterator[tuple[str, str]]:
    """What is to be typed (sh), and what is to be seen then (text)."""
    return ((found[1], found[2]) for found in _BLOCK.finditer(_PAGE.read_text()))


def _typed(guest: Guest, text: str) -> str:
    ran = guest.run("runuser", "-l", "ann", "-c", f"cd dist && export USER=ann\n{text}", seconds=120)
    if ran.status != 0:
        raise Wrong(f"{text}: ended with {ran.status}: {ran.out[-800:]}")
    return ran.out
