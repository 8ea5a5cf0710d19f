"""Programs that reach other machines: what they get, what they send, and where that goes."""

import re

from wand_hostagent.policy.effects import NOTHING, Effects, Program, Use, effects, options, verbs
from wand_hostagent.policy.reading import HOLE

_HERE = re.compile(r"(?:\w+://)?(?:[^/@]*@)?(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/?#]|$)(?![^/]*@)")


def _is_odd(address: str) -> bool:
    """Whether an address names a machine's own services, or its host in a way that hides which it is."""
    host = re.sub(r"^\w+://|^[^/?#]*@", "", address.partition(HOLE)[0]).partition("/")[0]
    host = host.rpartition(":")[0] if re.search(r"[^:]:\d*$|\]:", host) and not host.endswith("]") else host
    name = host.strip("[]").rstrip(".").lower()
    if not name.isascii() or "%" in name or name.endswith(".internal"):
        return True
    if re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,3}", name):
        return not re.fullmatch(r"(?!0\d)\d{1,3}(\.(?!0\d)\d{1,3}){3}", name) or name.startswith(
            ("169.254.", "0.")
        )
    return ":" in name and name != "::1"


def _curl(use: Use) -> Effects:
    """Getting a page is fetching; a part of an address that shows only later may carry what is here."""
    found = effects("fetch")
    addresses = [*use.operands, *(value for name, value in use.options if name == "--url")]
    if any(not _HERE.match(address) and HOLE in address for address in addresses):
        found |= effects("send")
    if any(map(_is_odd, addresses)):
        found |= effects("escape")
    if any(re.match(r"(?i)(file|scp|sftp|smb|gopher|dict|tftp|ldaps?):", address) for address in addresses):
        found |= effects("escape")
    if any(name in ("--unix-socket", "--abstract-unix-socket") for name, _ in use.options):
        found |= effects("escape")
    if addresses and all(_HERE.match(address) for address in addresses):
        found = effects("fetch")
    return found


CURL = Program(
    names="curl wget http https xh aria2c",
    effects=effects("fetch"),
    options={
        "": options(
            send="""-d= --data= --data-raw= --data-binary= --data-urlencode= --data-ascii= --json= -F=
                --form= --form-string=
            -T= --upload-file= --post-file= --post-data= --body-file= --body-data= --method= -X= --request=
            -n --netrc
            --netrc-file= -b= --cookie= --cert= -E=""",
            write="""-o= --output= -O --remote-name --output-dir= -D= --dump-header= --trace=
                --trace-ascii= -c= --cookie-jar= --libcurl= --stderr= --etag-save= --hsts= --alt-svc= -P=
                --directory-prefix= --output-document= -a= --append-output=""",
            run="-K= --config= -i= --input-file= --use-askpass= -e= --execute=",
            escape="""--proto-default= --unix-socket= --abstract-unix-socket= --proxy= -x= --preproxy=
                --socks5= --socks4= --resolve= --connect-to=""",
            plain="""-H= --header= -A= -e= -m= --max-time= -w= --retry= --connect-timeout= -u= -r= -s -S
                -L -f -I -k --url= -t= --timeout= -q -v""",
        )
    },
    refine=_curl,
)


def _lookup(use: Use) -> Effects:
    return effects("send") if any(HOLE in word for word in use.words) else NOTHING


LOOKUP = Program(
    names="nslookup dig host ping traceroute mtr whois drill",
    effects=effects("fetch"),
    refine=_lookup,
)
TALK = Program(
    names="nc ncat netcat socat telnet ftp tftp lftp mail sendmail mutt swaks",
    effects=effects("send"),
)

_SSH_VALUES = "-b= -B= -c= -D= -E= -e= -I= -i= -J= -L= -l= -m= -O= -p= -Q= -R= -S= -W= -w= -P="


def _ssh(use: Use) -> Effects:
    """Ssh reaches a host; its settings may name programs to run here, and a host that begins with a dash is
    one.
    """
    settings = [
        value.replace(" ", "=", 1).partition("=")[0].lower() for name, value in use.options if name == "-o"
    ]
    harmless = {
        "stricthostkeychecking",
        "batchmode",
        "connecttimeout",
        "serveraliveinterval",
        "loglevel",
        "user",
        "port",
    }
    bad = any(setting.strip() not in harmless for setting in settings)
    return effects("escape") if bad or any(word.startswith("-") for word in use.operands) else NOTHING


SSH = Program(
    names="ssh scp sftp rsync sshfs mosh ssh-copy-id",
    effects=effects("administer send"),
    options={
        "": options(
            plain=_SSH_VALUES + " -o=",
            escape="-F= -D= -S= -J= --rsync-path= --password-file=",
            text="-e= --rsh=",
        )
    },
    refine=_ssh,
)

CLOUD = Program(
    names="aws gcloud az doctl vault op heroku flyctl vercel netlify wrangler",
    effects=effects("administer"),
    verbs=verbs(fetch="version help login-status s3/ls sts/get-caller-identity config/list status"),
    options={
        "": options(
            escape="--endpoint-url= --ca-bundle= --cli-input-json=",
            plain="--region= --profile= --output= --query= --project= --format=",
        )
    },
)


def _database(use: Use) -> Effects:
    """An address among the words, or what would be one, leads to another machine."""
    leads = any("://" in word or "host=" in word or HOLE in word for word in use.operands)
    return effects("send") if leads else NOTHING


DATABASE = Program(
    names="psql mysql mariadb mongosh redis-cli pg_dump pg_dumpall pg_restore mysqldump mariadb-dump",
    effects=effects("run"),
    options={
        "": options(
            send="-h= --host= --hostaddr= --uri=",
            plain="-c= --command= -e= --execute= -f= --file= -d= --dbname= -U= --username= -u= --user= -p="
            " --port= -P= -n= -D= --database=",
        )
    },
    refine=_database,
)

PROGRAMS = (CURL, LOOKUP, TALK, SSH, CLOUD, DATABASE)
