"""Server and host agent on two machines: one has no launcher, the other no web framework."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guest import client
from guest.machine import Guest, Wrong
from guest.network import Pair
from guest.steps import KEEP, expect

_HOSTAGENT = 'listen = ["unix:/run/wand-hostagent/hostagent.sock", "{address}:7443"]\npeers = ["{peer}"]\n'
_SERVER = '[hostagent]\naddress = "{address}:7443"\n'
_OPENED = "[Service]\nIPAddressAllow=10.77.0.0/24\n"
_KEYS = ("ca.crt", "server.crt", "server.key")


@dataclass(slots=True)
class Two:
    """The machine of the host agent, that of the server, and what connects them."""

    host: Guest
    guest: Guest  # of the server
    pair: Pair

    def say(self, text: str) -> float:
        """See that a command runs on the host; how long the answer took."""
        began = time.monotonic()
        found = client.by_stdio(self.guest, "ann", "execute_command", command=f"echo {text}; hostname")
        expect(found["stdout"] == f"{text}\n{self.host.name}\n", found)
        return time.monotonic() - began


def installed(two: Two) -> str:
    for guest, half in ((two.host, "hostagent"), (two.guest, "server")):
        file = guest.sh(f"ls /srv/packages/wand-{half}_*-1_*.deb")
        guest.do("apt-get", "install", "-qq", "-y", *KEEP, file)
    return "one half on each"


def connected(two: Two) -> str:
    host, server = two.host, two.guest
    host.do("systemctl", "start", "wand-certificates")
    shown = host.do("wand-hostagent", "pki", "show", "--directory", "/etc/wand/pki")
    peer = next(word for word in shown.split() if "/server/" in word)
    host.do(
        "tee", "/etc/wand/hostagent.toml", put=_HOSTAGENT.format(address=two.pair.addresses[0], peer=peer)
    )
    host.do("tee", "/etc/wand/policy.d/10-people.toml", put='[groups]\ndevelopers = ["ann"]\n')
    host.do("mkdir", "-p", "/etc/systemd/system/wand-hostagent.service.d")
    host.do("tee", "/etc/systemd/system/wand-hostagent.service.d/network.conf", put=_OPENED)
    host.do("systemctl", "daemon-reload")
    host.do("systemctl", "enable", "--now", "wand-hostagent")
    server.do("mkdir", "-p", "-m", "755", "/etc/wand/pki")
    for name in _KEYS:
        server.do("tee", f"/etc/wand/pki/{name}", put=host.do("cat", f"/etc/wand/pki/{name}") + "\n")
        server.do("chmod", "600", f"/etc/wand/pki/{name}")
    server.do("tee", "/etc/wand/server.d/10-far.toml", put=_SERVER.format(address=two.pair.addresses[0]))
    server.do("useradd", "--create-home", "--groups", "wand", "ann")
    server.do("systemctl", "enable", "--now", "wand-server")
    server.await_true("wand-server check", what="the server does not find its host agent")
    return f"a command of {server.name} ran on {host.name}: {two.say('far away'):.1f} s"


def parted(two: Two) -> str:
    """The network goes away without a word: whoever asks is told, in bounded time."""
    two.pair.cut()
    began = time.monotonic()
    try:
        seen = str(client.by_stdio(two.guest, "ann", "execute_command", argv=["true"]))
    except Wrong as why:
        seen = str(why)
    took = time.monotonic() - began
    expect(any(word in seen for word in ("Unavailable", "Ambiguous", "TimedOut")), seen)
    expect(took < 45, f"told after {took:.0f} s: {seen}")
    expect(two.guest.run("systemctl", "is-active", "wand-server").line == "active", "the server died of it")
    return f"told after {took:.0f} s: {seen.splitlines()[0][:80]}"


def healed(two: Two) -> str:
    two.pair.heal()
    began = time.monotonic()
    while True:
        try:
            two.say("again")
        except Wrong as why:
            if time.monotonic() - began > 60:
                raise Wrong(f"not connected again: {why}") from why
            time.sleep(0.5)
        else:
            return f"answered again after {time.monotonic() - began:.0f} s, nothing restarted"


APART: Mapping[str, Callable[[Two], str]] = {
    "install one each": installed,
    "connect": connected,
    "part": parted,
    "heal": healed,
}
