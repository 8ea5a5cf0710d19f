"""`--after-fd`: what is started beside another loads its code meanwhile, and begins when it is its turn."""

import argparse
import sys


def add_option(parser: argparse.ArgumentParser) -> None:
    does = "a descriptor: load, and begin once a byte can be read there"
    parser.add_argument("--after-fd", type=int, metavar="N", help=does)


def wait(descriptor: int | None) -> None:
    """Wait until whatever has to be there before us is there; where that will not be, end."""
    if descriptor is not None:
        with open(descriptor, "rb") as before:  # noqa: PTH123 - a descriptor, not a path
            if not before.read(1):
                sys.exit("what has to be there before this did not start")
