"""The host's facts agree with what the kernel says elsewhere."""

import os
import time
from pathlib import Path

import pytest

from wand_hostagent import hostinfo


def test_info_names_this_host() -> None:
    info = hostinfo.info("/usr/bin:/bin")

    assert info.hostname == os.uname().nodename
    assert info.kernel == os.uname().release
    assert info.cpus >= 1
    assert info.memory_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert info.boot_unix_seconds == pytest.approx(
        time.time() - time.clock_gettime(time.CLOCK_BOOTTIME), abs=2
    )
    assert info.timezone
    assert "sh" in {Path(shell).name for shell in info.shells}


def test_status_counts_each_disk_once_and_leaves_out_what_is_not_there() -> None:
    status = hostinfo.status(["/", "/nonexistent", "/\0"], hostinfo.CpuMeter())

    assert [disk.path for disk in status.disks] == ["/"]
    assert 0 <= status.disks[0].free_bytes <= status.disks[0].total_bytes
    assert 0 < status.memory_available_bytes <= status.memory_total_bytes
    assert status.uptime_seconds > 0
    assert len(status.load) == 3


def test_a_busy_processor_is_seen_as_busy() -> None:
    meter = hostinfo.CpuMeter()
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass

    assert 5 <= meter.percent() <= 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    for name, mode in (("tool", 0o755), ("text", 0o644)):
        (tmp_path / name).touch(mode)
        (tmp_path / name).chmod(mode)
    return tmp_path


@pytest.mark.parametrize("name", ["folder", "text", "missing", "", ".", "./tool", "a\0b", "/nonexistent"])
def test_what_is_no_program_is_not_found(folder: Path, name: str) -> None:
    assert hostinfo.find_command(name, f"{folder}::.:relative") == ""


def test_a_program_is_found_along_the_path_or_by_its_own(folder: Path) -> None:
    assert hostinfo.find_command("tool", f"/nonexistent:{folder}") == f"{folder}/tool"
    assert hostinfo.find_command(f"{folder}/tool", "") == f"{folder}/tool"
