"""What the host is and how it fares, as a client sees it."""

from support.host import FakeHost, call
from wand_server import ports
from wand_server.tools.registry import Registry


async def test_the_host_says_where_commands_start_and_as_whom() -> None:
    result = await Registry(FakeHost()).call("get_system_info", {}, call())

    assert "Commands start in /work and run as wand-job." in result.text
    assert result.structured["uptime_seconds"] > 0


async def test_the_status_says_what_is_not_enforced() -> None:
    result = await Registry(FakeHost()).call("get_system_status", {}, call())

    assert "- network: NOT enforced; commands may use it" in result.text
    assert "disk /: 50.0 GiB free of 100.0 GiB" in result.text
    assert "swap: none" in result.text


async def test_programs_are_found_missed_or_denied() -> None:
    found = ("git", "/usr/bin/git", True), ("nosuch", "", False), ("su", "/bin/su", False)
    host = FakeHost(
        commands=tuple(ports.FoundCommand(name=name, path=path, permitted=yes) for name, path, yes in found)
    )

    result = await Registry(host).call("check_command_exists", {"names": ["git", "nosuch", "su"]}, call())

    assert result.text == "git: /usr/bin/git\nnosuch: not found\nsu: /bin/su (policy denies it)"
    assert [each["exists"] for each in result.structured["commands"]] == [True, False, True]


async def test_one_name_needs_no_list() -> None:
    host = FakeHost()

    await Registry(host).call("check_command_exists", {"names": "git"}, call())

    assert host.asked == [("git",)]
