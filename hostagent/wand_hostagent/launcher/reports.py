"""What became of each job: told, recorded, and kept until the host agent says that it knows."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from wand_hostagent.launcher.child import Child
from wand_hostagent.launcher.ends import Ending
from wand_hostagent.launcher.journal import Journal
from wand_hostagent.launcher.ledger import Entry
from wand_hostagent.launcher.peers import Peer, Peers
from wand_hostagent.launcher.refusal import Refused

MOST = 1024  # ended jobs that are kept; the oldest goes first


class Ended(NamedTuple):
    """A job that has ended and was not forgotten yet."""

    message: Mapping[str, Any]
    kept: tuple[int, ...]
    facts: Mapping[str, Any]
    since: float


class Reports:
    """The ends of jobs."""

    def __init__(self, peers: Peers, journal: Journal, most: int = MOST) -> None:
        self._peers = peers
        self.journal = journal
        self._most = most
        self.kept: OrderedDict[str, Ended] = OrderedDict()

    def started(self, child: Child) -> None:
        child.plan.answer(_started(child))

    def failed(self, child: Child, refusal: Refused) -> None:
        self.not_started(child.plan.job, refusal)
        close(child.plan.kept)
        child.plan.answer(failure(refusal))

    def not_started(self, job: str, refusal: Refused) -> None:
        """A job was recorded and then could not be started: its record gets an end too."""
        fields = {"job": job, "reason": "not_started", "kind": refusal.kind, "message": refusal.message}
        self.journal.later(Entry("end", fields))

    def ended(self, child: Child, ending: Ending) -> None:
        """Tell all who are connected, record it, and keep it until somebody says that it is known.

        One message says both to who has not heard yet that the job started. It leaves first: somebody waits.
        """
        told = ending._asdict()
        message = {"say": "exited", **told}
        try:
            asker = None if child.told else child.plan.answer({**_started(child), "exited": message})
            self._peers.tell_all(message, but=asker)
        finally:
            self.journal.later(Entry("end", told))
            if child.plan.facts["kind"] == "run":  # the end of a worker is of no use to a later host agent
                self.kept[ending.job] = Ended(message, child.plan.kept, child.plan.facts, child.since)
            while len(self.kept) > self._most:
                self.forget(next(iter(self.kept)))
        self.journal.prepare()

    def joined(self, peer: Peer) -> None:
        """Tell whoever connects of every end that nobody has taken."""
        for ended in tuple(self.kept.values()):
            self._peers.tell(peer, ended.message)

    def forget(self, job: str) -> None:
        ended = self.kept.pop(job, None)
        if ended is not None:
            close(ended.kept)


def _started(child: Child) -> dict[str, Any]:
    plan = child.plan
    return {
        "say": "started",
        "job": plan.job,
        "pid": child.pid,
        "limits": plan.limits,
        "directory": plan.facts["directory"],
        "program": plan.facts["program"],
    }


def failure(refusal: Refused) -> dict[str, Any]:
    """A refusal as a message, its `re` not yet in it."""
    return {
        "say": "failed",
        "kind": refusal.kind,
        "message": refusal.message[:4096],
        "hint": refusal.hint[:4096],
        "field": refusal.field,
    }


def close(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
