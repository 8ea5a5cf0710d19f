"""What `wand-server setup` writes for which answers, and what it says to type next: texts, made of values."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

May = Literal["look", "ask", "work"]
MAY = {
    "look": "read, list and search; programs that do no more than look",
    "ask": "look, and whatever a person on this machine says yes to, each time",
    "work": "anything in the folder; a person is asked before something is sent away or administered",
}
HERE = "here"

_PROFILE = """\
# Written by wand-server setup; docs/reference/settings.md, "A profile", has every key.
name = {name}
workspace = {folder}
run_as = {user}
environment = {{ LANG = "C.UTF-8" }}
environment_allowed = ["CI", "FORCE_COLOR", "NO_COLOR", "TERM", "LC_*"]
network = "loopback"   # its own; docs/how-to/let-it-reach-the-network.md lets it reach more

[limits]
wall_seconds = 3600
memory_bytes = 4294967296
processes = 1024
output_bytes = 1073741824
"""
_RULE = """
[[rule]]
name = {rule}
verdict = "{verdict}"
principals = [{user}]
{what}
profile = {name}
"""
_DENY = """
[[rule]]
name = {rule}
verdict = "deny"
principals = [{user}]
effects = ["escape"]
say = "say what you need done; whoever looks after this machine can permit it under another profile"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was asked: where agents work, what they may do, from where they come, and as whom they work."""

    folder: Path
    may: May
    reach: str  # HERE, or https://NAME, perhaps with a port
    user: str
    name: str  # of the profile
    certificate: Path | None = None
    key: Path | None = None


def profile(given: Answers) -> str:
    """The profile: a file for the launcher."""
    return _PROFILE.format(name=_quoted(given.name), folder=_quoted(given.folder), user=_quoted(given.user))


def policy(given: Answers) -> str:
    """The rules: a file for the host agent."""
    title = f"# Written by wand-server setup: {given.user} may {given.may} in {given.folder}.\n"
    paths = f"paths = [{_quoted(given.folder)}]\nverbs = "
    reading, changing = f'{paths}["read", "list", "search"]', f'{paths}["write", "edit"]'
    looking = _rule(given, "looks", "allow", 'programs = ["*"]\neffects = ["read"]')
    files = _rule(given, "reads files", "allow", reading)
    if given.may == "look":
        return title + looking + files
    if given.may == "ask":
        asking = _rule(
            given, "asks before anything else", "ask", 'programs = ["*"]\neffects = [' + _BUT_READ + "]"
        )
        return title + looking + asking + files + _rule(given, "asks before it writes", "ask", changing)
    anything = _rule(given, "runs anything", "allow", 'programs = ["*"]')
    sends = _rule(given, "asks before it sends or administers", "ask", 'effects = ["send", "administer"]')
    never = _DENY.format(rule=_quoted(f"{given.name}: no way around the box"), user=_quoted(given.user))
    return title + anything + sends + never + files + _rule(given, "writes files", "allow", changing)


_BUT_READ = ", ".join(f'"{effect}"' for effect in ("write", "fetch", "send", "run", "administer", "unknown"))


def _rule(given: Answers, says: str, verdict: str, what: str) -> str:
    rule, user, name = _quoted(f"{given.name}: {says}"), _quoted(given.user), _quoted(given.name)
    return _RULE.format(rule=rule, verdict=verdict, user=user, what=what, name=name)


def settings(given: Answers, there: dict[str, Any]) -> str:
    """What the server's file must say beside what is `there`: tables to be added at its end."""
    tables = ""
    if given.reach != HERE:
        tables += _http(given)
    if given.certificate is not None and given.key is not None:
        tables += f"\n[tls]\ncertificate = {_quoted(given.certificate)}\nkey = {_quoted(given.key)}\n"
    if not {"allowed_users", "allowed_groups"} & there.get("stdio", {}).keys():
        tables += f"\n[stdio]\nallowed_users = [{_quoted(given.user)}]\n"
    return tables


def _http(given: Answers) -> str:
    parts = urlsplit(given.reach)
    names = f"\n[http]\nallowed_hosts = [{_quoted(parts.hostname or '')}]\n"
    if given.certificate is None:
        return f'{names}trusted_proxies = ["127.0.0.1", "::1"]   # a proxy on this machine ends TLS\n'
    return f'{names}host = "0.0.0.0"\nport = {parts.port or 443}\n'


def next_steps(given: Answers, written: list[Path], groups: list[str]) -> str:
    """What was written, and what to type next."""
    lines = ["Written:", *(f"  {path}" for path in written), "", "Next, on this machine, as root:"]
    lines += [f"  usermod -aG {group} {shlex.quote(given.user)}   # and sign in anew" for group in groups]
    lines += [
        "  wand-hostagent policy check",
        "  systemctl enable --now wand-hostagent wand-server   # where they run: systemctl reload-or-restart",
        "  wand-hostagent doctor && wand-server doctor",
        "",
        f"Claude Code, as {given.user}:",
        f"  {claude_code(given)}",
    ]
    if given.reach == HERE:
        entry = {"mcpServers": {"wand": {"command": "wand-server", "args": ["stdio"]}}}
        lines += ["", "Claude Desktop (claude_desktop_config.json), or the bundle that ./dev bundle makes:"]
        lines += [f"  {line}" for line in json.dumps(entry, indent=2).splitlines()]
    else:
        lines += [
            "  where KEY is what this prints, once:",
            f"  wand-server keys add {shlex.quote(given.user)}",
        ]
    if given.certificate is not None and (urlsplit(given.reach).port or 443) < 1024:
        lines += ["", "A port below 1024 needs CAP_NET_BIND_SERVICE: docs/how-to/serve-tls.md"]
    if given.reach != HERE and given.certificate is None:
        lines += ["", "A proxy with TLS before it: docs/how-to/put-a-proxy-in-front.md"]
    if given.may != "look":
        lines += ["", "What waits for a yes: wand-hostagent approve list"]
    return "\n".join(lines) + "\n"


def claude_code(given: Answers) -> str:
    """The line that connects Claude Code."""
    if given.reach == HERE:
        return "claude mcp add wand -- wand-server stdio"
    url = f"{given.reach}/mcp"
    return f'claude mcp add --transport http wand {url} --header "Authorization: Bearer KEY"'


def _quoted(text: str | Path) -> str:
    """Text as TOML has it: JSON's strings are strings of TOML, but for what is no character."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
