"""What an administrator does with a Wand, one after another, and what must be seen each time."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from guest import client
from guest.blocked import hold_until_ended
from guest.certificates import Https
from guest.machine import Guest, Wrong

SERVICES = ("wand-hostagent", "wand-server", "wand-launcher", "wand-egress")
UNPRIVILEGED = ("wand-hostagent", "wand-server", "wand-egress")
MOST_EXPOSED = {
    "wand-server": 1.3, "wand-hostagent": 1.0, "wand-launcher": 4.0, "wand-egress": 1.2,
    "wand-certificates": 0.9,
}  # fmt: skip
PEOPLE = "/etc/wand/policy.d/10-people.toml"
KEEP = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
_WATCHDOG_SECONDS = 4
_EDITED = "cat /etc/wand/*.toml /etc/wand/*.d/*.toml | cksum"


@dataclass(slots=True)
class Stage:
    """A guest, the packages that lie in it at /srv/packages, and what steps leave for later ones."""

    guest: Guest
    first: str  # the release that is installed at first, and the one that replaces it
    second: str
    https: Https
    install: Callable[[Guest, str], None]
    remove: Callable[[Guest], None]
    kept: dict[str, Any] = field(default_factory=dict)

    def run(self, *argv: str, user: str = "ann", **more: Any) -> dict[str, Any]:
        """What execute_command answers to a person of the guest."""
        return client.by_stdio(self.guest, user, "execute_command", argv=list(argv), **more)

    def say(self, text: str) -> None:
        """See that a command can be run, and that its output comes back.

        Raises:
            Wrong: it is not so.
        """
        found = self.run("echo", text)
        expect(found["stdout"] == f"{text}\n", found)


def expect(is_so: object, seen: object) -> None:
    """Go on only where it is so.

    Raises:
        Wrong: it is not; `seen` says what was.
    """
    if not is_so:
        raise Wrong(str(seen)[:1500])


def installed(stage: Stage) -> str:
    """Without any network, and with nothing started or enabled."""
    guest = stage.guest
    began = time.monotonic()
    stage.install(guest, stage.first)
    took = time.monotonic() - began
    for unit in ("wand-hostagent.service", "wand-server.service", "wand-launcher.socket"):
        expect(guest.run("systemctl", "is-enabled", unit).line == "disabled", unit)
        expect(guest.run("systemctl", "is-active", unit).line == "inactive", unit)
    expect(guest.run("test", "-e", "/etc/wand/pki").status != 0, "keys were made at installation")
    size = guest.sh("du -smc /usr/lib/wand-hostagent /usr/lib/wand-server | tail -1 | cut -f1")
    return f"{took:.1f} s; {size} MB; all disabled"


def enabled(stage: Stage) -> str:
    guest = stage.guest
    began = time.monotonic()
    guest.do("systemctl", "enable", "--now", "wand-hostagent", "wand-server")
    took = time.monotonic() - began
    for unit in (*SERVICES, "wand-launcher.socket", "wand-certificates.timer"):
        expect(
            guest.run("systemctl", "is-active", unit).line == "active",
            guest.run("systemctl", "status", unit).out,
        )
    failed = guest.do("systemctl", "--failed", "--no-legend", "--plain")
    expect(not failed, failed)
    return f"both ready after {took:.1f} s, with launcher, proxy and certificates"


def first_call(stage: Stage) -> str:
    """A person of the machine, by stdio: nobody before the group, nothing before the policy."""
    guest = stage.guest
    guest.do("useradd", "--create-home", "ann")
    for who, why in (("before the group", "Connection closed"), ("before the policy", "Denied")):
        try:
            seen = str(stage.run("id", "-un"))
        except Wrong as refused:
            seen = str(refused)
        expect(why in seen, f"{who}: {seen}")
        guest.do("usermod", "-aG", "wand", "ann")
    guest.sh("journalctl -u wand-server | grep -q 'user ann may not use this socket'")
    guest.do("tee", PEOPLE, put='[groups]\ndevelopers = ["ann", "claude"]\n')
    guest.do("systemctl", "reload", "wand-hostagent")
    found = stage.run("id", "-un")
    expect(found["stdout"] == "wand-job\n", found)
    expect(
        guest.run("sh", "-c", "journalctl -u wand-launcher | grep 'no init in advance'").status, "slow starts"
    )
    return "refused before the group and before the policy, then runs as wand-job"


def by_tls(stage: Stage) -> str:
    """An agent with a key, over https."""
    guest = stage.guest
    stage.https.put(guest)
    guest.do("tee", "/etc/wand/server.d/10-tls.toml", put=stage.https.settings)
    guest.do("systemctl", "restart", "wand-server")
    stage.kept["key"] = guest.do("wand-server", "keys", "add", "claude").split()[-1]
    stage.kept["serial"] = stage.https.shown(guest)
    expect(_tls(stage)["stdout"] == "by tls\n", "no output")
    refused = ""
    try:
        client.by_https(
            guest, stage.https.url, "wand_wrong", stage.https.ca, "execute_command", argv=["true"]
        )
    except Wrong as why:
        refused = str(why)
    expect("is not known here" in refused, refused or "let in with a wrong key")
    stage.https.renew()
    stage.https.put(guest)  # looked at by `renewed`, later
    stage.kept["renewed"] = time.monotonic()
    return "a call with a key; refused with a wrong one"


def _tls(stage: Stage) -> dict[str, Any]:
    return client.by_https(
        stage.guest, stage.https.url, stage.kept["key"], stage.https.ca, "execute_command",
        argv=["echo", "by tls"],
    )  # fmt: skip


def renewed(stage: Stage) -> str:
    """The certificate that was replaced a while ago is in use, without a restart."""
    while stage.https.shown(stage.guest) == stage.kept["serial"]:
        expect(time.monotonic() - stage.kept["renewed"] < 60, "the old certificate is still in use")
        time.sleep(0.5)
    return f"in use at most {time.monotonic() - stage.kept['renewed']:.0f} s after it was replaced"


def privileges(stage: Stage) -> str:
    guest = stage.guest
    for unit in UNPRIVILEGED:
        status = guest.do("cat", f"/proc/{guest.pid(unit)}/status")
        sets = re.findall(r"^Cap\w+:\s+0{16}$", status, re.MULTILINE)
        expect(len(sets) == 5, f"{unit}: {status}")
        expect("NoNewPrivs:\t1" in status and not re.search(r"^Uid:\s+0\b", status, re.MULTILINE), status)
    scores = {}
    for unit, most in MOST_EXPOSED.items():
        said = guest.run("systemd-analyze", "security", "--no-pager", unit).line
        scores[unit] = float(said.rpartition(": ")[2].split()[0])
        expect(scores[unit] <= most, said)
    shown = ", ".join(f"{unit.removeprefix('wand-')} {score}" for unit, score in scores.items())
    return f"no capability in host agent, server and proxy; exposure: {shown}"


def journal(stage: Stage) -> str:
    """A refused call is found in the logs of both halves, and a job in the ledger."""
    guest = stage.guest
    try:
        seen = str(stage.run("sudo", "true"))
    except Wrong as refused:
        seen = str(refused)
    expect("Denied" in seen, seen)
    entry = json.loads(guest.do("journalctl", "-q", "-o", "json", "-n", "1", "WAND_EVENT=tool refused"))
    found = guest.do("journalctl", "-q", "-o", "json", f"WAND_REQUEST_ID={entry['WAND_REQUEST_ID']}")
    units = {json.loads(line)["_SYSTEMD_UNIT"] for line in found.splitlines()}
    expect(units == {"wand-server.service", "wand-hostagent.service"}, found)
    job = stage.run("true")["job"]
    ledger = guest.do("wand-hostagent", "audit", "show", "/var/lib/wand-launcher/ledger", "--job", job)
    expect(job in ledger, ledger)
    return "one WAND_REQUEST_ID in both halves; a job in the ledger"


def reloaded(stage: Stage) -> str:
    """A reload takes up what is good, and says of what is not why."""
    guest = stage.guest
    before = {unit: guest.pid(unit) for unit in SERVICES}
    guest.do("tee", "/etc/wand/policy.d/20-wrong.toml", put="[[rule]]\nname = 3\n")
    refused = guest.run("systemctl", "reload", "wand-hostagent")
    expect(refused.status != 0, "a broken policy was reloaded without a word")
    why = guest.do("journalctl", "-q", "-o", "cat", "-u", "wand-hostagent", "-n", "20")
    expect("20-wrong.toml" in why, why)
    guest.do("rm", "/etc/wand/policy.d/20-wrong.toml")
    for unit in ("wand-hostagent", "wand-server", "wand-launcher"):
        guest.do("systemctl", "reload", unit)
    expect(before == {unit: guest.pid(unit) for unit in SERVICES}, "a reload restarted something")
    stage.say("after a reload")
    return "good ones hold; a broken policy fails the reload, and the journal says where it is broken"


def killed(stage: Stage) -> str:
    """Each service comes back by itself, and the next call is answered."""
    guest = stage.guest
    times = []
    for unit in SERVICES:
        pid = guest.pid(unit)
        os.kill(guest.outer_pid(pid), signal.SIGKILL)
        took = _comes_back(guest, unit, pid)
        stage.say(f"after {unit}")
        times.append(f"{unit.removeprefix('wand-')} {took:.1f} s")
    return f"back after {', '.join(times)}"


def _comes_back(guest: Guest, unit: str, before: int, seconds: float = 30.0) -> float:
    ready = f"[ $(systemctl show --value -p MainPID {unit}) != {before} ] && systemctl is-active -q {unit}"
    return guest.await_true(ready, seconds=seconds, what=f"{unit} did not come back")


def lost(stage: Stage) -> str:
    """A job that died with its launcher is said to be lost."""
    guest = stage.guest
    job = stage.run("sleep", "600", background=True)["job"]
    pid = guest.pid("wand-launcher")
    os.kill(guest.outer_pid(pid), signal.SIGKILL)
    _comes_back(guest, "wand-launcher", pid)
    guest.await_true("! grep -lxs sleep /proc/[0-9]*/comm", what="the job lives on")
    ledger = guest.do("wand-hostagent", "audit", "show", "/var/lib/wand-launcher/ledger", "--job", job)
    expect("lost" in ledger or "ambiguous" in ledger, ledger)
    return "it is gone, and the ledger says so"


def blocked(stage: Stage) -> str:
    """A loop that hangs, its other threads alive, is ended by the watchdog and started again."""
    guest = stage.guest
    units = ("wand-hostagent", "wand-server", "wand-launcher")
    for unit in units:
        drop_in = f"[Service]\nWatchdogSec={_WATCHDOG_SECONDS}\nTimeoutAbortSec=1\n"
        guest.do("mkdir", "-p", f"/run/systemd/system/{unit}.service.d")
        guest.do("tee", f"/run/systemd/system/{unit}.service.d/quick.conf", put=drop_in)
    guest.do("systemctl", "daemon-reload")
    guest.do("systemctl", "restart", *units)
    times = []
    for unit in units:
        pid = guest.pid(unit)
        took = hold_until_ended(guest.outer_pid(pid), 4.0 * _WATCHDOG_SECONDS)
        took += _comes_back(guest, unit, pid)
        times.append(f"{unit.removeprefix('wand-')} {took:.1f} s")
        expect(
            "watchdog" in guest.sh(f"journalctl -q -o cat -n 400 | grep {unit}").lower(),
            "no word of a watchdog",
        )
    for unit in units:
        guest.do("rm", f"/run/systemd/system/{unit}.service.d/quick.conf")
    guest.do("systemctl", "daemon-reload")
    guest.do("systemctl", "restart", *units)
    stage.say("after the watchdog")
    return f"at {_WATCHDOG_SECONDS} s: back after {', '.join(times)}"


def certificates(stage: Stage) -> str:
    """New certificates of the link are made and taken up; a day on which none is due changes nothing."""
    guest = stage.guest
    before = guest.sh("cksum < /etc/wand/pki/hostagent.crt; cksum < /etc/wand/pki/ca.crt").splitlines()
    pids = guest.pid("wand-hostagent"), guest.pid("wand-server")
    guest.do("systemctl", "start", "wand-certificates")
    expect(pids == (guest.pid("wand-hostagent"), guest.pid("wand-server")), "restarted, and nothing was due")
    guest.do("rm", "/etc/wand/pki/hostagent.crt", "/etc/wand/pki/server.key")
    guest.do("systemctl", "start", "wand-certificates")
    for unit, pid in zip(("wand-hostagent", "wand-server"), pids, strict=True):
        _comes_back(guest, unit, pid)
    after = guest.sh("cksum < /etc/wand/pki/hostagent.crt; cksum < /etc/wand/pki/ca.crt").splitlines()
    expect(before[0] != after[0] and before[1] == after[1], (before, after))
    shown = guest.do("sh", "-c", "cksum < /run/credentials/wand-hostagent.service/hostagent.crt")
    expect(shown == after[0], "the host agent has another certificate")
    guest.await_true("wand-server check", what="the halves do not know each other")
    stage.say("with new certificates")
    return "both halves restarted with new leaves of the same authority; no restart on a day without"


def upgraded(stage: Stage) -> str:
    """With edited settings and a job running: both stay."""
    guest = stage.guest
    guest.do("tee", "-a", "/etc/wand/hostagent.toml", put='log_level = "debug"\n')
    guest.do("rm", "/etc/wand/policy.d/50-operator.toml")
    job = stage.run("sleep", "600", background=True)["job"]
    pids = {unit: guest.pid(unit) for unit in SERVICES}
    edited = guest.sh(_EDITED)
    began = time.monotonic()
    stage.install(guest, stage.second)
    took = time.monotonic() - began
    after = {unit: guest.pid(unit) for unit in SERVICES}
    expect(guest.sh(_EDITED) == edited, "settings were changed")
    expect(guest.run("test", "-e", "/etc/wand/policy.d/50-operator.toml").status, "a removed file came back")
    expect(after["wand-launcher"] == pids["wand-launcher"], "the launcher was restarted, and its job ended")
    for unit in ("wand-hostagent", "wand-server"):
        expect(after[unit] not in {0, pids[unit]}, f"{unit} is still the old one")
    expect(job in guest.do("wand-hostagent", "jobs"), "the job is gone")
    guest.await_true("wand-server check", what="the halves do not find each other")
    stage.say("after the upgrade")
    return f"{took:.1f} s; settings kept, job {job} goes on under the launcher that started it"


def rested(stage: Stage) -> str:
    """Once no job runs, the same upgrade restarts the launcher too."""
    guest = stage.guest
    guest.do("systemctl", "restart", "wand-launcher")
    pid = guest.pid("wand-launcher")
    guest.await_true("[ $(wand-hostagent jobs --count) = 0 ]", what="jobs are left")
    guest.do("/usr/lib/wand-hostagent/after-upgrade")
    expect(guest.pid("wand-launcher") not in {0, pid}, "the launcher was not restarted")
    stage.say("at rest")
    return "the launcher is new as well"


def removed(stage: Stage) -> str:
    """Nothing runs any more, and what an administrator wrote is still there."""
    guest = stage.guest
    stage.remove(guest)
    for unit in (*SERVICES, "wand-launcher.socket", "wand-certificates.timer"):
        expect(guest.run("systemctl", "is-active", unit).line == "inactive", f"{unit} is still there")
    expect(guest.run("test", "-e", PEOPLE).status == 0, "the policy is gone")
    expect(guest.run("test", "-e", "/usr/lib/wand-hostagent").status, "programs are left")
    return "all stopped; settings, policy and ledger stay"


def purged(stage: Stage) -> str:
    """Nothing is left but the users."""
    guest = stage.guest
    guest.do("rm", "-r", "/etc/wand/tls")  # an administrator's own
    guest.do("apt-get", "purge", "-qq", "-y", "wand-hostagent", "wand-server")
    places = "-not -path '/srv/packages*' -not -path '/home/*' -not -path '/var/log/*'"
    left = guest.sh(f"find / -xdev {places} -name '*wand*' 2>/dev/null || true")
    expect(not left, left)
    expect(guest.run("id", "wand-job").status == 0, "the users are gone")
    expect(guest.run("test", "-e", "/etc/wand").status, guest.run("ls", "-lR", "/etc/wand").out)
    return "no file left; the users stay"


def again(stage: Stage) -> str:
    guest = stage.guest
    stage.install(guest, stage.second)
    guest.do("systemctl", "enable", "--now", "wand-hostagent", "wand-server")
    guest.do("tee", PEOPLE, put='[groups]\ndevelopers = ["ann"]\n')
    guest.do("systemctl", "reload", "wand-hostagent")
    stage.say("again")
    return "installed, enabled and called once more"


def taken_away(stage: Stage) -> str:
    """By dnf from outside, which cannot stop what runs in the guest: that is done before."""
    guest = stage.guest
    guest.do("systemctl", "disable", "--now", "wand-server", "wand-hostagent", "wand-launcher.socket")
    guest.do("systemctl", "stop", "wand-launcher", "wand-egress")
    stage.remove(guest)
    expect(guest.run("test", "-e", PEOPLE).status == 0, "the policy is gone")
    left = guest.sh("find /usr -name '*wand*'")
    expect(not left, left)
    return "programs and units are gone; what an administrator wrote stays"


LIFE: Mapping[str, Callable[[Stage], str]] = {
    "install": installed,
    "enable": enabled,
    "call by stdio": first_call,
    "call by TLS": by_tls,
    "privileges": privileges,
    "journal": journal,
    "reload": reloaded,
    "kill -9 each": killed,
    "kill -9 with a job": lost,
    "loop blocked": blocked,
    "certificates": certificates,
    "TLS renewed": renewed,
    "upgrade with a job": upgraded,
    "upgrade at rest": rested,
    "remove": removed,
    "purge": purged,
    "install again": again,
}

RPM: Mapping[str, Callable[[Stage], str]] = {
    "install": installed,
    "enable": enabled,
    "call by stdio": first_call,
    "privileges": privileges,
    "remove": taken_away,
}

OWN_PYTHON: Mapping[str, Callable[[Stage], str]] = {
    "install": installed,
    "enable": enabled,
    "call by stdio": first_call,
    "privileges": privileges,
    "kill -9 each": killed,
    "certificates": certificates,
}
