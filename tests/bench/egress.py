"""Bytes through the proxy beside the same bytes without it, and what a connection costs."""

import argparse
import contextlib
import os
import socket
import socketserver
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from support.egress import Proxy, listening, proxy

NOTE = """\
One connection that carries {mib} MiB, and {count} connections that carry nothing; medians of {rounds} rounds,
direct and through the proxy in turns. Client, server and proxy share {cpus} processors.\
"""
PART = bytes(1 << 18)


class _Source(socketserver.BaseRequestHandler):
    """Sends as many MiB as the first line says."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(int(self.request.recv(16) or 0) * 4):
                self.request.sendall(PART)


def direct(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def through(one: Proxy, door: int, port: int) -> socket.socket:
    talk = one.talk(door, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
    while not talk.some():
        pass
    return talk.socket


def megabytes_a_second(connect: Callable[[], socket.socket], mib: int) -> float:
    with connect() as link:
        began = time.perf_counter()
        link.sendall(f"{mib}".encode())
        left, room = mib << 20, bytearray(1 << 20)
        while left > 0 and (count := link.recv_into(room)):
            left -= count
        assert left == 0
        return mib / (time.perf_counter() - began)


def milliseconds(connect: Callable[[], socket.socket], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        connect().close()
    return (time.perf_counter() - began) * 1000 / count


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench egress", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 3 if parser.parse_args().quick else 9
    mib, count = 256, 40
    with (
        tempfile.TemporaryDirectory() as folder,
        listening(_Source, "127.0.0.1") as port,
        proxy(Path(folder)) as one,
    ):
        door = one.network([f"127.0.0.1:{port}"])
        ways = {"direct": lambda: direct(port), "proxy": lambda: through(one, door, port)}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        costs: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                rates[name].append(megabytes_a_second(way, mib))
                costs[name].append(milliseconds(way, count))
        print(NOTE.format(mib=mib, count=count, rounds=rounds, cpus=os.cpu_count()))
        told = {name: (statistics.median(rates[name]), statistics.median(costs[name])) for name in ways}
        for name, (rate, cost) in told.items():
            print(f"  {name:8} {rate:8.0f} MiB/s {cost:8.2f} ms a connection")
        share, times = told["proxy"][0] / told["direct"][0], told["proxy"][1] / told["direct"][1]
        print(f"  proxy/direct: {share:.2f} of the rate, {times:.1f} times the connection")
        print(f"  the proxy holds {resident_mib(one.process.pid):.1f} MiB")


if __name__ == "__main__":
    main()
