"""Settings come from a file and from variables, and whatever is wrong in either is named."""

from pathlib import Path

import pytest

from wand_proto.errors import Denied, Invalid, NotFound
from wand_proto.lines import line_of
from wand_server import settings
from wand_server.settings import Settings


def load(folder: Path, text: str = "", **environment: str) -> Settings:
    path = folder / "server.toml"
    path.write_text(text)
    path.chmod(0o600)
    return settings.load(path, environment)


def test_an_empty_file_is_a_good_file(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()


def test_a_variable_stands_over_the_file(tmp_path: Path) -> None:
    read = load(tmp_path, "[http]\nport = 9000\nhost = '::1'", WAND_HTTP__PORT="9001", HOME="/root")

    assert (read.http.port, read.http.host) == (9001, "::1")


def test_a_list_in_a_variable_is_written_with_commas(tmp_path: Path) -> None:
    read = load(tmp_path, WAND_HTTP__ALLOWED_HOSTS="a.example, b.example:8443,")

    assert read.http.allowed_hosts == ("a.example", "b.example:8443")


def test_a_table_in_a_variable_is_written_with_commas(tmp_path: Path) -> None:
    read = load(tmp_path, WAND_OAUTH__SCOPE_MAP="mcp.use=wand:read wand:execute,mcp.write=wand:write")

    assert read.oauth.scope_map == {"mcp.use": ("wand:read", "wand:execute"), "mcp.write": ("wand:write",)}


def test_relative_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    text = "[hostagent]\naddress = 'unix:run/agent.sock'\nkey = 'pki/k'\n[http]\nkeys_file = 'keys.toml'"

    read = load(tmp_path, text)

    assert read.hostagent.address == f"unix:{tmp_path}/run/agent.sock"
    assert read.hostagent.key == tmp_path / "pki/k"
    assert read.http.keys_file == tmp_path / "keys.toml"


def test_the_variable_of_the_pipe_is_none_of_ours(tmp_path: Path) -> None:
    assert load(tmp_path, WAND_SOCKET="/run/x") == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[htp]", "htp: is not a setting, in {file}, line 1; did you mean http?"),
        ("[http]\nprt = 1", "http.prt: is not a setting, in {file}, line 2; did you mean port?"),
        (
            "[http]\nport = 70000",
            "http.port: must be at most 65535, not 70000, in {file}, line 2",
        ),
        ("[http]\nport = 'x'", "http.port: must be a whole number"),
        ("http = 1", "http: must be a table"),
        (
            "[log]\nlevel = 'loud'",
            "log.level: must be 'debug', 'info', 'warning' or 'error', not 'loud'",
        ),
        (
            "[hostagent]\naddress = 'http://x'",
            "hostagent.address: must be unix:PATH or HOST:PORT, not 'http://x'",
        ),
        ("[execution]\ndefault_wall_seconds = 0", "execution.default_wall_seconds: must be more than 0"),
        ("[http]\nport = 70000\n[log]\nlevel = 1", "log.level: must be 'debug'"),
        ("[http", "is not TOML"),
        ("[oauth]\nissuer = 'http://login.example'", "oauth.issuer: must be an https URL"),
        ("[oauth]\nissuer = 'https://a.example'", "oauth: resource is needed with issuer"),
        (
            "[issuer]\nurl = 'https://a.example'\n[oauth]\nissuer = 'https://a.example'\nresource = 'https://a'",
            "oauth: issuer is for another one",
        ),
        ("[oauth]\nclient_id = 'x'", "oauth: client_id and client_secret_file go together"),
        ("[oauth]\nalgorithms = ['HS256']", "oauth.algorithms.0: must be 'ES256'"),
        ("[oauth]\nalgorithms = ['none']", "oauth.algorithms.0: must be 'ES256'"),
        ("[oauth]\ndefault_scopes = ['root']", "oauth.default_scopes: 'root' is no scope of ours"),
        ("[oauth.scope_map]\nx = ['root']", "oauth.scope_map.x: 'root' is no scope of ours"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(tmp_path, text)

    assert said.format(file=tmp_path / "server.toml") in str(caught.value)


def test_files_beside_it_stand_over_it_and_variables_over_them(tmp_path: Path) -> None:
    (tmp_path / "server.d").mkdir(mode=0o755)
    over = tmp_path / "server.d" / "10-port.toml"
    over.write_text("[http]\nport = 9001\n[integrations.slack]\ntoken_file = 't'\n")
    over.chmod(0o644)
    text = "[http]\nhost = '::1'\nport = 9000\n[integrations.github]\ntoken_file = 'g'\n"

    read = load(tmp_path, text, WAND_HTTP__WEBSOCKET="false")
    assert (read.http.host, read.http.port, read.http.websocket) == ("::1", 9001, False)
    assert set(read.integrations.instances) == {"github", "slack"}
    assert load(tmp_path, text, WAND_HTTP__PORT="9002").http.port == 9002

    over.write_text("[http]\nprt = 1\n")
    with pytest.raises(Invalid) as caught:
        load(tmp_path, text)
    assert f"http.prt: is not a setting, in {over}, line 2; did you mean port?" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WAND_HTTP__PRT", "1", "did you mean WAND_HTTP__PORT?"),
        ("WAND_PORT", "1", "WAND_PORT: is a variable that names no setting"),
        ("WAND_HTTP__PORT", "x", "in WAND_HTTP__PORT"),
        ("WAND_HTTP__PORT", "", "in WAND_HTTP__PORT"),
    ],
)
def test_what_is_wrong_in_a_variable_is_named(tmp_path: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(tmp_path, **{name: value})

    assert said in str(caught.value)


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.touch()
    path.chmod(0o666)

    with pytest.raises(Denied, match="can be written by others"):
        settings.load(path, {})


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.toml does not exist"):
        settings.load(tmp_path / "absent.toml", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url = 'http://wand.example'", "issuer.url"),
        ("url = 'https://wand.example/'", "issuer.url"),
        ("url = 'https://wand.example?x'", "issuer.url"),
        ("document_networks = ['10.0.0.1/8']", "issuer.document_networks"),
        ("access_seconds = 901", "issuer.access_seconds"),
        ("user_header = 'X-User'", "trusted_proxies"),
    ],
)
def test_an_issuer_that_cannot_be_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=said):
        load(tmp_path, f"[issuer]\n{text}")


def test_an_issuer_is_off_until_it_has_an_address(tmp_path: Path) -> None:
    assert load(tmp_path).issuer.url == ""
    read = load(tmp_path, "[issuer]\nurl = 'https://wand.example/tenant'\nfolder = 'issuer'")
    assert (read.issuer.url, read.issuer.folder) == ("https://wand.example/tenant", tmp_path / "issuer")


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("", ("a", "b"), None),
        ("[a]\n# b = 1\nb = 1", ("a", "b"), 3),
        ("[a]\nc = 1", ("a", "b"), 1),
        ("[b]\nb = 1\n[a]\nb = 1", ("a", "b"), 4),
        ("a.b = 1", ("a", "b"), 1),
        ("a = { b = 1 }", ("a", "b"), 1),
        ("[a]\nb = [\n  1,\n  'x',\n]", ("a", "b", "1"), 2),
    ],
)
def test_a_key_is_found_on_its_line(text: str, place: tuple[str, ...], line: int | None) -> None:
    assert line_of(text, place) == line


def test_what_an_administrator_sets_stands_over_all(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text("[log]\nlevel = 'error'")
    path.chmod(0o600)

    assert settings.load(path, {"WAND_LOG__LEVEL": "info"}, {"log.level": "debug"}).log.level == "debug"
    with pytest.raises(Invalid, match="in what an administrator set"):
        settings.load(path, {}, {"limits.burst": "0"})
    with pytest.raises(
        Invalid, match=r"limits\.burst: must be a whole number, not 'many'.*\(nothing has changed"
    ):
        settings.load(path, {}, {"limits.burst": "many"})
    with pytest.raises(Invalid, match=r"limits\.brst: is not a setting \(did you mean limits\.burst\?\)"):
        settings.load(path, {}, {"limits.brst": "0"})


def test_a_table_of_a_transport_comes_from_a_variable_as_json(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.touch(mode=0o600)
    said = {"WAND_TRANSPORTS__ENABLED": "lines", "WAND_TRANSPORTS__OPTIONS": '{"lines": {"port": 8003}}'}

    read = settings.load(file, said).transports

    assert (read.enabled, read.options) == (("lines",), {"lines": {"port": 8003}})
    with pytest.raises(Invalid, match="must be JSON") as caught:
        settings.load(file, {"WAND_TRANSPORTS__OPTIONS": "s3cret"})
    assert "s3cret" not in str(caught.value)
