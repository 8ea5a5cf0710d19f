"""A configuration changes as a whole and on record, or not at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wand_proto.errors import Conflict, Invalid, Unavailable, WandError
from wand_server import settings
from wand_server.runtime import changes
from wand_server.runtime.runtime import Change, Runtime
from wand_server.settings import Settings


@dataclass
class FakeParts:
    """Remember what they took up."""

    who: dict[str, str] = field(default_factory=dict)
    wrong: WandError | None = None
    taken: list[Settings] = field(default_factory=list)

    def read(self, wanted: Settings) -> Mapping[str, str]:
        if self.wrong:
            raise self.wrong
        return dict(self.who)

    def apply(self, wanted: Settings) -> None:
        self.taken.append(wanted)


@dataclass
class Scene:
    """A server's configuration, and what became of it."""

    file: Path
    parts: FakeParts
    recorded: list[Change] = field(default_factory=list)
    lost: WandError | None = None

    def __post_init__(self) -> None:
        self.write("")
        self.runtime = Runtime((self.file, {}), settings.load(self.file, {}), self.parts, self.record)

    async def record(self, change: Change) -> None:
        if self.lost:
            raise self.lost
        self.recorded.append(change)

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.file.chmod(0o600)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "server.toml", FakeParts())


async def test_what_the_file_says_now_is_taken_up_and_on_record(scene: Scene) -> None:
    before = scene.runtime.show()["digest"]
    scene.write("[log]\nlevel = 'debug'\n[tools]\nread_only = true")

    outcome = await scene.runtime.reload("SIGHUP")

    changed = ("tools.read_only: false -> true", 'log.level: "info" -> "debug"')
    assert outcome.changed == changed
    assert scene.recorded == [Change(by="SIGHUP", before=before, after=outcome.digest, changed=changed)]
    assert [one.log.level for one in scene.parts.taken] == ["debug"]
    assert scene.runtime.show()["digest"] == outcome.digest != before


async def test_nothing_new_is_no_change_and_no_record(scene: Scene) -> None:
    assert (await scene.runtime.reload("SIGHUP")).changed == ()
    assert (scene.recorded, scene.parts.taken) == ([], [])


async def test_a_bad_file_changes_nothing_and_says_where_it_is_wrong(scene: Scene) -> None:
    scene.write("[log]\nlevel = 'debug'\n\n[limits]\nburst = 0")

    with pytest.raises(Invalid, match=r"limits\.burst: must be at least 1, not 0, in .*server\.toml, line 5"):
        await scene.runtime.reload("SIGHUP")

    assert (scene.recorded, scene.parts.taken, scene.runtime.now.log.level) == ([], [], "info")


async def test_what_is_not_on_record_does_not_happen(scene: Scene) -> None:
    scene.write("[log]\nlevel = 'debug'")
    scene.lost = Unavailable("the host agent does not answer")

    with pytest.raises(Unavailable):
        await scene.runtime.reload("SIGHUP")

    assert (scene.parts.taken, scene.runtime.now.log.level) == ([], "info")


async def test_what_a_part_cannot_take_up_changes_nothing(scene: Scene) -> None:
    scene.parts.wrong = Invalid("'shel' is no tool", field="tools.disabled")

    with pytest.raises(Invalid):
        await scene.runtime.set("0 (root)", {"tools.disabled": "shel", "log.level": "debug"})

    assert (scene.recorded, scene.parts.taken, scene.runtime.now.log.level) == ([], [], "info")


async def test_what_needs_a_restart_is_named_and_the_rest_holds(scene: Scene) -> None:
    scene.write("[http]\nport = 9\nallowed_hosts = ['a.example']")

    outcome = await scene.runtime.reload("SIGHUP")

    assert outcome.needs_restart == ("http.port",)
    assert (scene.runtime.now.http.port, scene.runtime.now.http.allowed_hosts) == (8001, ("a.example",))


async def test_to_set_what_needs_a_restart_is_refused_by_name(scene: Scene) -> None:
    with pytest.raises(Conflict, match=r"http\.port needs a restart"):
        await scene.runtime.set("0 (root)", {"http.port": "9", "log.level": "debug"})


async def test_what_is_set_stands_over_the_file_until_it_is_unset(scene: Scene) -> None:
    await scene.runtime.set("0 (root)", {"tools.disabled": "commands, write_file"})
    scene.write("[tools]\ndisabled = []\n[log]\nlevel = 'error'")
    await scene.runtime.reload("SIGHUP")
    held = scene.runtime.now
    shown = scene.runtime.show()["settings"]["tools.disabled"]

    await scene.runtime.unset("0 (root)", ["tools.disabled"])

    assert (held.tools.disabled, held.log.level) == (("commands", "write_file"), "error")
    assert shown == {"value": ("commands", "write_file"), "from": "set", "live": True}
    assert scene.runtime.now.tools.disabled == ()
    with pytest.raises(Invalid, match="was not set by an administrator"):
        await scene.runtime.unset("0 (root)", ["log.level"])


async def test_a_key_that_comes_or_goes_is_told_by_its_name_alone(scene: Scene) -> None:
    scene.parts.who = {"ann": "hash-1", "bob": "hash-2"}
    await scene.runtime.reload("SIGHUP")
    scene.parts.who = {"ann": "hash-3", "eve": "hash-4"}

    outcome = await scene.runtime.reload("SIGHUP")

    assert outcome.changed == ("key ann: changed", "key bob: removed", "key eve: added")
    assert "hash-3" not in str(scene.runtime.show())


def test_every_setting_is_shown(scene: Scene) -> None:
    assert set(scene.runtime.show()["settings"]) == set(settings.names())
    assert set(settings.names()) >= changes.LIVE


def test_a_table_among_the_settings_is_shown_as_json(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text(
        "[tls]\ncertificate = 'a'\nkey = 'b'\nclient_ca = 'c'\n"
        "[[tls.client]]\ncertificate = 'DNS:agent.example'\nname = 'agent'\nscopes = ['wand:read']\n"
    )
    file.chmod(0o600)

    read = settings.load(file, {}).tls
    told = changes.shown("tls.client", read.client)

    assert changes.shown("tls.key", read.key) == str(tmp_path / "b")  # a file's name is no secret
    table = {"certificate": "DNS:agent.example", "name": "agent", "scopes": ["wand:read"]}
    assert json.loads(json.dumps(told)) == [{**table, "groups": [], "on_behalf_of": ""}]


def test_of_too_many_changes_the_rest_is_counted() -> None:
    now = changes.Configuration(settings=Settings())
    then = changes.Configuration(settings=Settings(), keys={f"k{number:03}": "x" for number in range(100)})

    told = changes.told(now, then)

    assert (len(told), told[-1]) == (changes.MOST_CHANGES, "and 37 more")


def test_a_secret_of_an_added_transport_is_hidden() -> None:
    table = {"lines": {"port": 8003, "password": "s3cret", "peers": [{"token": "s3cret", "name": "a"}]}}

    told = changes.shown("transports.options", table)

    assert told["lines"]["port"] == 8003
    assert "s3cret" not in str(told)
    assert told["lines"]["peers"] == ({"token": changes.HIDDEN, "name": "a"},)
