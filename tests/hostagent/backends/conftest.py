"""Real parts for backends: a dockerd and an sshd for all tests of a worker, a launcher for each."""

from collections.abc import Iterator

import pytest

from support import dockerd as real
from support.dockerd import Dockerd
from support.places import short_folder
from support.sshd import SSHD, Sshd, sshds


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    if why := real.why_not():
        pytest.skip(why)
    with short_folder() as folder, real.dockerd(folder) as one:
        yield one


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    if SSHD is None:
        pytest.skip("there is no sshd: apt-get install openssh-server")
    with short_folder() as folder, sshds(folder) as (one,):
        yield one
