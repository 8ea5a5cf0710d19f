"""Programs that reach other machines: what they get, what they send, and where that goes."""

import re

from wand_hostagent.policy.effects import NOTHING, Effects, Program, Use, effects, options, verbs
from wand_hostagent.policy.reading import HOLE

_HERE = re.compile(r"(?:\w+://)?(?:[^/@]*@)?(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/?#]|$)(?![^/]*@)")


def _is_odd(address: str) -> bool:
    """Whether an address names a machine's own services, or its host in a way that hides which it is."""
    host = re.sub(r"^(?:\w+://)?(?:[^/?#]*@)?", "", address.partition(HOLE)[0]).partition("/")[0]
    host = host.rpartition(":")[0] if re.search(r"[^:]:\d*$|\]:", host) and not host.endswith("]") else host
    name = host.strip("[]").rstrip(".").lower()
    if not name.isascii() or "%" in name or name.endswith(".internal"):
        return True
    if re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,3}", name):
        return not re.fullmatch(r"(?!0\d)\d{1,3}(\.(?!0\d)\d{1,3}){3}", name) or name.startswith(
            ("169.254.", "0.")
        )
    return ":" in name and name != "::1"


# What stands behind these goes to the other machine.
_TOLD = frozenset(
    {
        "-H", "--header", "-A", "--user-agent", "-U", "-u", "--user", "-e", "--referer", "--password",
        "--http-user", "--http-password",
    }
)  # fmt: skip


def _curl(use: Use) -> Effects:
    """Getting a page is fetching; a part of an address that shows only later may carry what is here."""
    found = effects("fetch")
    addresses = [*use.operands, *(value for name, value in use.options if name == "--url")]
    if any(not _HERE.match(address) and HOLE in address for address in addresses):
        found |= effects("send")
    if any(name in _TOLD and (HOLE in value or value.startswith("@")) for name, value in use.options):
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
    names="curl",
    effects=effects("fetch"),
    options={
        "": options(
            send="""-d= --data= --data-raw= --data-binary= --data-urlencode= --data-ascii= --json= -F=
                --form= --form-string= -T= --upload-file= -X= --request= -n --netrc --netrc-file=
                --netrc-optional -b= --cookie= -E= --cert= --url-query= --oauth2-bearer=
                --aws-sigv4= -t= --telnet-option= -Q= --quote= --mail-from= --mail-rcpt=""",
            write="""-o= --output= -O --remote-name --remote-name-all -J --remote-header-name
                --output-dir= -D= --dump-header= --trace= --trace-ascii= -c= --cookie-jar=
                --libcurl= --stderr= --etag-save= --hsts= --alt-svc=""",
            send_run="-K= --config= --engine=",  # they hold options
            escape="""--proto-default= --unix-socket= --abstract-unix-socket= --proxy= -x= --preproxy=
                --socks5= --socks4= --socks4a= --socks5-hostname= --resolve= --connect-to=
                --interface= --doh-url= --dns-servers=""",
            plain="""-H= --header= -A= --user-agent= -e= --referer= -u= --user= -U= --proxy-user= -m=
                --max-time= -w= --write-out= --retry= --retry-delay= --retry-max-time=
                --connect-timeout= -r= --range= -C= --continue-at= -y= -Y= -z= --time-cond=
                --limit-rate= --max-redirs= --max-filesize= --cacert= --capath= --key= --pass=
                --ciphers= --proto= --proto-redir= --noproxy= --rate= --url= -s -S -L -f -I -k -v -i
                -g -G -N -q -a -l -j -R -Z -4 -6 -0 -1 -2 -3 -#""",
        )
    },
    refine=_curl,
)
WGET = Program(
    names="wget wget2",
    effects=effects("fetch"),
    options={
        "": options(
            send="""--post-file= --post-data= --body-file= --body-data= --method= --load-cookies=
                --certificate= --private-key=""",
            write="""-O= --output-document= -P= --directory-prefix= -o= --output-file= -a=
                --append-output= --save-cookies= --warc-file= --rejected-log= --hsts-file=""",
            run="--use-askpass=",
            send_run="-i= --input-file= -e= --execute= --config=",  # they hold addresses, or options
            escape="--bind-address= --dns-servers=",
            plain="""--header= -U= --user-agent= --referer= --user= --password= --http-user=
                --http-password= -t= --tries= -T= --timeout= --connect-timeout= --read-timeout=
                --dns-timeout= -w= --wait= --waitretry= -Q= --quota= --limit-rate= -l= --level= -A=
                --accept= -R= --reject= --accept-regex= --reject-regex= -D= --domains=
                --exclude-domains= -I= --include-directories= -X= --exclude-directories= --cut-dirs=
                -B= --base= --ca-certificate= --default-page= --progress= --restrict-file-names=
                --max-redirect= --prefer-family= --regex-type=""",
        )
    },
    refine=_curl,
)
ARIA = Program(names="aria2c axel lynx w3m links elinks youtube-dl yt-dlp", effects=effects("fetch send run"))


def _getent(use: Use) -> Effects:
    """Databases of names of machines are asked of other machines."""
    asks = any(word in ("hosts", "ahosts", "ahostsv4", "ahostsv6", "networks") for word in use.operands[:1])
    return _lookup(use) if asks else NOTHING


def _lookup(use: Use) -> Effects:
    return effects("send") if any(HOLE in word for word in use.words) else NOTHING


LOOKUP = Program(
    names="nslookup dig host ping ping6 traceroute tracepath mtr whois drill delv resolvectl",
    effects=effects("fetch"),
    refine=_lookup,
)
GETENT = Program(names="getent", effects=effects("read"), options={"": options(plain="-s=")}, refine=_getent)
TALK = Program(
    names="""nc ncat netcat socat telnet ftp tftp lftp mail mailx sendmail msmtp mutt swaks http https xh
        websocat grpcurl rclone""",
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


_BASES = frozenset({"-d", "--dbname"})


def _database(use: Use) -> Effects:
    """An address among the words, or what would be one, leads to another machine."""
    words = (*use.operands, *(value for name, value in use.options if name in _BASES))
    leads = any("://" in word or "host" in word or "service=" in word or HOLE in word for word in words)
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

PROGRAMS = (CURL, WGET, ARIA, LOOKUP, GETENT, TALK, SSH, CLOUD, DATABASE)
