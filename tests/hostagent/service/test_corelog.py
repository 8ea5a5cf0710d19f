"""What others write to descriptor 2 becomes our log."""

import logging
import os

import pytest

from wand_hostagent.service import corelog

HANDSHAKE = (
    "I1122 22:25:18.839607   18681 ssl_transport_security.cc:2563] Handshake failed with error "
    "SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate"
)


def test_a_failed_handshake_is_a_refused_peer(caplog: pytest.LogCaptureFixture) -> None:
    corelog.tell(HANDSHAKE)

    (record,) = caplog.records
    assert (record.message, record.levelno) == ("peer refused", logging.WARNING)
    assert "CERTIFICATE_VERIFY_FAILED" in record.__dict__["why"]


@pytest.mark.parametrize(
    ("line", "level"),
    [("E1122 22:25:18.8 1 add_port.cc:56] bad", logging.ERROR), ("something else", logging.INFO)],
)
def test_any_other_line_keeps_its_level(caplog: pytest.LogCaptureFixture, line: str, level: int) -> None:
    caplog.set_level(logging.INFO)

    corelog.tell(line)

    assert [record.levelno for record in caplog.records] == [level]


async def test_lines_are_gathered_while_it_is_open_and_never_after(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with corelog.gathered():
        os.write(2, b"first\n")
    os.write(2, b"second\n")

    assert [record.__dict__["text"] for record in caplog.records] == ["first"]


async def test_a_flood_of_lines_blocks_nobody() -> None:
    with corelog.gathered(), pytest.raises(BlockingIOError):
        write_for_ever()


def write_for_ever() -> None:
    while True:
        os.write(2, b"x" * 4096)
