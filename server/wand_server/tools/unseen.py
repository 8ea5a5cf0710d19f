"""Characters that no eye sees and a model reads: tags, and what turns the order of writing around.

Instructions are hidden in tags (U+E0000 to U+E007F), in a file's name or a line of output; with the marks for
direction (Unicode Standard Annex 9; "Trojan Source", CVE-2021-42574) a text shows as another.
"""

import re

_UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def one_line(name: str) -> str:
    r"""A name with what would break its line, and so forge another, as JSON has it: `\n`, `\u001b`."""
    if name.isprintable():
        return name
    return _BREAKING.sub(lambda found: _SHORT.get(found[0], f"\\u{ord(found[0]):04x}"), name)


def stand_in(text: str) -> bool:
    """Whether there are any in a text."""
    return not text.isascii() and _UNSEEN.search(text) is not None


def visible(text: str) -> str:
    r"""The text with each of them written out, as `\u{e0041}`."""
    return text if text.isascii() else _UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


def notes(what: str, text: str, then: str) -> tuple[str, ...]:
    """What has to be said of `what`, where there are any in its text, and `then` what was done."""
    count = 0 if text.isascii() else len(_UNSEEN.findall(text))
    if not count:
        return ()
    stand = "1 character stands" if count == 1 else f"{count:,} characters stand"
    return (f"{what}: {stand} in it that no eye sees, {then}: it may say something in hiding",)
