"""Signing in, by the way of it: what it adds to a call, from the headers to the principal and its tenure."""

import argparse
import asyncio
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import jwt
from multidict import CIMultiDict

from support.issuers import RESOURCE, Issuer, ec_key, jwk_of, part
from wand_server.auth import jwk, keyfile
from wand_server.auth.asked import Asked
from wand_server.auth.bearer import Tokens, Trusted
from wand_server.auth.claims import ClaimNames
from wand_server.auth.dpop import Proofs
from wand_server.auth.guard import Guard
from wand_server.auth.issuerkeys import StaticKeys
from wand_server.auth.keys import Keys
from wand_server.auth.lastused import LastUsed
from wand_server.auth.origins import Origins
from wand_server.auth.possession import Possession
from wand_server.transports.tenures import Tenures

NOTE = """\
µs of processor time that sign-in adds to a call, medians of {rounds} rounds that take turns: reading Host,
Origin and Authorization, deciding who it is, and noting what is open under it. The file has {keys} keys.\
"""
KEYS = 100
GOAL_US = 40.0
GOAL = ("an API key", "a token seen before")


@dataclass
class Door:
    """A guard with every way of signing in, and who comes to it."""

    folder: Path

    def __post_init__(self) -> None:
        file = self.folder / "keys.toml"
        keys = [keyfile.add(file, f"name{number}") for number in range(KEYS)]
        self.key = keys[KEYS // 2]
        self.issuer, self.client = Issuer(), ec_key()
        known = StaticKeys(self.issuer.name, jwk.keys_in(self.issuer.jwks(), ("ES256",)))
        trusted = Trusted(keys=known, audiences=(RESOURCE,), names=ClaimNames())
        tokens = Tokens([trusted], Possession(Proofs("https://wand.example")))
        self.guard = Guard(Keys(file, LastUsed(self.folder / "used")), Origins(), [tokens])
        self.tenures = Tenures(self.guard.is_over)
        self.free = self.issuer.token(exp=int(time.time()) + 86400)
        self.bound = self.issuer.token(
            exp=int(time.time()) + 86400, cnf={"jkt": jwk.thumbprint(jwk_of(self.client))}
        )

    def tokens(self, count: int) -> list[CIMultiDict[str]]:
        """As many requests, each with a token that was never seen."""
        return [headers(f"Bearer {self.issuer.token(jti=f'{time.time_ns()}-{n}')}") for n in range(count)]

    def proven(self, count: int) -> list[CIMultiDict[str]]:
        """As many requests with one bound token, each with a proof of its own."""
        about = {"typ": "dpop+jwt", "jwk": jwk_of(self.client)}
        same = {"htm": "POST", "htu": RESOURCE, "ath": part(hashlib.sha256(self.bound.encode()).digest())}
        claims = ({**same, "iat": time.time(), "jti": f"{time.time_ns()}-{n}"} for n in range(count))
        proofs = [jwt.encode(one, self.client, "ES256", headers=about) for one in claims]
        return [headers(f"DPoP {self.bound}", DPoP=one) for one in proofs]

    async def sign_in(self, brought: CIMultiDict[str]) -> None:
        principal = self.guard.known(brought) or await self.guard.principal(Asked(headers=brought))
        with self.tenures.call(principal, _nothing):
            pass


def _nothing() -> None:
    """What would be ended."""


def headers(authorization: str, **more: str) -> CIMultiDict[str]:
    usual = {"Host": "127.0.0.1:8001", "Accept": "application/json, text/event-stream", "User-Agent": "bench"}
    return CIMultiDict({**usual, "Authorization": authorization, **more})


async def us_each(door: Door, brought: list[CIMultiDict[str]]) -> float:
    began = time.process_time()
    for one in brought:
        await door.sign_in(one)
    return (time.process_time() - began) / len(brought) * 1e6


async def measure(rounds: int, calls: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        door = Door(Path(folder))
        ways: dict[str, Callable[[], Awaitable[float]]] = {
            "an API key": lambda: us_each(door, [headers(f"Bearer {door.key}")] * calls),
            "a token seen before": lambda: us_each(door, [headers(f"Bearer {door.free}")] * calls),
            "a new token (ES256)": lambda: us_each(door, door.tokens(calls // 10)),
            "a proof with each call (DPoP)": lambda: us_each(door, door.proven(calls // 10)),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                found[name].append(await way())
    return {name: statistics.median(each) for name, each in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench signin", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    asked = parser.parse_args()
    rounds, calls = (3, 1000) if asked.quick else (9, 5000)
    found = asyncio.run(measure(rounds, calls))
    print(NOTE.format(rounds=rounds, keys=KEYS), end="\n\n")
    for name, us in found.items():
        goal = f"   (goal: at most {GOAL_US:.0f})" if name in GOAL else ""
        print(f"  sign-in adds {us:7.1f} µs   {name}{goal}")
    return 1 if any(found[name] > GOAL_US for name in GOAL) else 0


if __name__ == "__main__":
    sys.exit(main())
