"""How people say things: which words count in a request, which mean the same, which phrase means a word."""

import re
from collections.abc import Iterable, Iterator, Mapping

_WORD = re.compile(r"[a-z0-9]+")
_JOINED = re.compile(r"[\w-]+")
_TOLD = re.compile(r"\"[^\"]+\"|“[^”]+”|(?<!\S)'[^']+'(?!\w)|(?<=\w: ).+$")  # what is to be written, not done
_CALLED = re.compile(
    r"\b(\w+) (?:namespace|bucket|container|deployment|table|configmap|repo|repository|queue|database)s?\b"
)  # the payments namespace: it is about namespaces, and little about payments
_WHOLE = frozenset({"news", "teams"})  # what ends them is no ending: there is Teams, and there are teams
_FEWEST = 4  # words that say what is wanted
_SHORTEST = 3  # letters that a word keeps
_ENDINGS = ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ers", "ed", "es", "er", "s", "e", "y")
_SILENT = frozenset(
    """
    a an the of to in on for with and or my me our we i is are was were be been do does did done it its this
    that these those there from at by as all please can could would want need how some into up out over have
    has had got get so if just will should let like here about them him her his they he she you your us not
    no yes again already
    ll ve re don didn isn doesn im
    """.split()  # noqa: SIM905 - a text is easier to read
)
_IRREGULAR = {
    word: plain
    for plain, words in {
        "send": "sent",
        "say": "said",
        "write": "wrote written",
        "run": "ran",
        "make": "made",
        "find": "found",
        "build": "built",
        "pay": "paid",
        "person": "people folks guys",
        "leave": "left",
        "give": "gave given",
        "break": "broke broken",
        "buy": "bought",
        "take": "took taken",
        "keep": "kept",
        "tell": "told",
    }.items()
    for word in words.split()
}
_PHRASES = """
drop a line: send message
drop … a line: send message
get rid of: delete remove
throw away: delete remove
take back: delete
take out: remove
tear down: destroy delete
turn off: disable stop
turn on: enable start
switch off: disable stop
switch on: enable start
shut down: stop
shut … down: stop
bring up: start
bring back: start restore
bring down: stop
spin up: create start
fire up: start
kick off: start run trigger
kick out: remove
roll out: apply deploy
roll back: revert undo
set up: create init
clean up: delete remove
look up: get find
look for: search find
look at: get show
check out: checkout
check in: checkin
log in: login sign
logged in: login sign
logs in: login sign
log out: logout revoke
sign in: login sign
signed in: login sign
sign out: logout revoke
sign off: approve
pass on: forward
hand over: assign
write down: note create
find out: get
how many: count list
how much: usage get
how big: size
how full: usage space
how long: time
who is: user member list
who are: user member list
drop … into: upload
drop … in: upload
put … in: upload move add
put … into: upload move add
put … on: upload add
stick … on: upload attach
stick … onto: upload attach
give … to: assign
let … see: share permission access
let … edit: share permission access
let … read: share permission access
hand … over: assign
hand … back: return checkin
get … back: restore
marked … as: update
mark … as: update
turn … off: disable stop
turn … on: enable start
send … on: forward
pass … on: forward
run out of: space usage quota
run out of room: space usage quota
get back to: reply answer
last day: deactivate disable delete
left the company: deactivate disable
on call: oncall page rota
day off: holiday vacation leave
days off: holiday vacation leave
out loud: aloud speak
mr: merge request
mrs: merge request
blank out: clear
jot down: note create
fire off: send
shoot … over: send
pull up: get show
pull down: download
call off: cancel delete
anyone from: search contact person
someone from: search contact person
anybody from: search contact person
have i changed: uncommitted
not committed: uncommitted
isn't committed: uncommitted
spat out: log output
going on: status list
catch me up: history read list
what is in: list
what's inside: list file
inside: list
what's in: list
what's on: list
is there: list
are there: list
pull request: pullrequest pull request
pull requests: pullrequest pull request
pr: pullrequest pull request
prs: pullrequest pull request
k8s: kubernetes
repo: repository
repos: repository
config: configuration
dir: directory folder
info: information
docs: document
doc: document
dm: direct message
pic: picture
app: application
apps: application
pw: password
"""
_ALIKE = """
list show display browse enumerate which what any
get fetch read retrieve view look see show detail describe inspect peek
create add make new generate register provision onboard
delete remove drop erase trash destroy wipe discard purge nuke scrap bin axe ditch evict
update change edit modify set rename correct fix adjust replace bump raise lower tweak amend alter revise tick
send post write tell notify message announce inform ping say shout shoot fire
search find query lookup seek where hunt
start run launch trigger execute kick begin boot resume
stop cancel abort kill halt terminate end
restart reboot redeploy bounce
enable activate unlock
disable deactivate suspend block lock freeze offboard mute silence
approve accept confirm grant permit
deny reject refuse decline
invite share
assign give hand
move drag shift relocate
link connect relate block
read catch
list inside contain
log output print line stdout
scale replica
upload put store save attach stick
download export fetch get grab
user person member colleague account employee who staff
ticket issue incident case bug problem
picture image photo screenshot png jpg
email mail
chat conversation
channel room
secret password credential
payment charge pay bill
customer client contact
deployment rollout
folder directory
file document object item csv pdf docx xlsx zip json scan
holiday vacation leave
comment note reply remark
reply answer respond
login sign
access permission right
version revision release
space usage quota storage room
commit change
history log trail audit
result output
machine node server host
tag label
dataset data corpus corpora
team teams
clear empty blank wipe
pull grab fetch
"""  # what people say in each other's place
ALIKE_WEIGHT, _CALLED_WEIGHT = 0.4, 0.5
_WHOM = r"(my|our|the|him|her|them|every(one|body)|[\w.]+@[\w.]+)\b"
_MARKS = {
    re.compile(r"\b[A-Z][A-Z0-9]+-[0-9]+\b"): ("jira",),
    re.compile(r"\b(INC|CHG|PRB|RITM|REQ)[0-9]{4,}\b"): ("servicenow", "record"),
    re.compile(r"(?<!\S)#[a-z][\w-]*"): ("channel", "chat"),
    re.compile(r"(?<!\S)#[0-9]+\b"): ("issue", "pull", "request"),
    re.compile(r"\b[0-9]+ ?h\b"): ("time", "hours"),
    re.compile(r"\bs3://"): ("s3",),
    re.compile(r"\S@\S+\.\w"): ("address", "user"),
    re.compile(r"(?i)\b(write|reply|mail|forward)\b.*\S@\S"): ("mail",),
    re.compile(r"(?i)\bdockerfile\b"): ("docker", "image"),
    re.compile(rf"(?i)^(slack|telegram|discord|mattermost|text|dm) ({_WHOM}|.* that\b)"): ("send", "message"),
    re.compile(rf"(?i)^e?mail ({_WHOM}|.* that\b)"): ("send", "mail"),
}  # what a request shows without saying it


def said(text: str) -> Iterator[str]:
    """The words of a text without their endings, and without those that say nothing."""
    for word in _WORD.findall(text.lower()):
        if word not in _SILENT and (len(word) > 1 or word.isdigit()):
            yield stem(_IRREGULAR.get(word, word))


def asked(query: str) -> Mapping[str, float]:
    """The words of a request, and what each counts: less where it stands for a phrase, or is alike."""
    words: dict[str, float] = {}
    for mark, meant in _MARKS.items():
        if mark.search(query):
            words.update(dict.fromkeys(map(stem, meant), 1.0))
    wanted, told = _parted(_JOINED.sub(_unless_made_up, query.lower()))
    text = " ".join(re.findall(r"[a-z0-9']+", wanted))
    for phrase, meant in _MEANT:
        if phrase.search(text):
            text = phrase.sub(lambda found: f" {found[1]} " if found.re.groups else " ", text)
            words.update(dict.fromkeys(map(stem, meant), 0.8))
    words.update(dict.fromkeys(said(text), 1.0))
    words.update(dict.fromkeys(said(" ".join(_CALLED.findall(text))), _CALLED_WEIGHT))
    words = {**dict.fromkeys(said(told), ALIKE_WEIGHT), **words}
    for word in list(words):
        for other in _ALIKE_TO.get(word, ()):
            words.setdefault(other, ALIKE_WEIGHT * words[word])
    return words


def _unless_made_up(found: re.Match[str]) -> str:
    """A word, but for names as web-5d8f: what such a name holds says nothing."""
    before, _, last = found[0].rpartition("-")
    is_made_up = before and len(last) >= _SHORTEST and not last.isdigit() and not last.isalpha()
    return " " if is_made_up else found[0]


def _parted(query: str) -> tuple[str, str]:
    """What is asked for, and what only is to be written: in quotes, or after a colon."""
    wanted = _TOLD.sub(" ", query)
    if len(wanted.split()) < _FEWEST:
        return query, ""
    return wanted, " ".join(_TOLD.findall(query))


def stem(word: str) -> str:
    """A word without its ending."""
    for ending in () if word in _WHOLE else _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= max(_SHORTEST, len(ending)):
            return _single(word[: -len(ending)])
    return word


def _single(word: str) -> str:
    """What was doubled before an ending, once, as in stopped."""
    return word[:-1] if word[-1] == word[-2] and word[-1] not in "aeiou" else word


def _groups(lines: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for line in lines:
        words = tuple(map(stem, line.split()))
        for word in words:
            table[word] = (*table.get(word, ()), *(other for other in words if other != word))
    return table


def _phrases(lines: Iterable[str]) -> Iterator[tuple[re.Pattern[str], tuple[str, ...]]]:
    for line in lines:
        phrase, _, meant = line.partition(":")
        before, _, after = phrase.partition(" … ")
        words = rf"{before} ((?:\S+ ){{1,9}}){after}" if after else before
        yield re.compile(rf"\b{words}\b"), tuple(meant.split())


_ALIKE_TO = _groups(filter(None, map(str.strip, _ALIKE.splitlines())))
_MEANT = tuple(_phrases(filter(None, map(str.strip, _PHRASES.splitlines()))))
