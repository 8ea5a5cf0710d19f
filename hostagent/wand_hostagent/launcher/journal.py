"""What goes to the ledger at once, what may wait a moment to share its way to the disk, and what comes due.

Signing and turning over to another file happen between requests, so that no answer waits for them.
"""

import traceback
from collections import Counter
from collections.abc import Sequence

from wand_hostagent.launcher import log
from wand_hostagent.launcher.anchors import Anchors
from wand_hostagent.launcher.ledger import Entry, Ledger
from wand_hostagent.launcher.loop import Loop
from wand_hostagent.launcher.refusal import Refused

_SECONDS = 0.02
_RETRY_SECONDS = 1.0
_CARE_SECONDS = 60.0  # how often it is seen whether a checkpoint is due by its time
_MOST = 4096  # entries that wait; only a full disk makes so many


class Unrecordable(Refused):
    """One of these entries cannot be written as a record, whatever the disk does; the others can."""


class Journal:
    """The ledger, with a place to wait in front of it."""

    def __init__(self, ledger: Ledger, loop: Loop, anchors: Anchors | None = None) -> None:
        self._ledger = ledger
        self._loop = loop
        self._anchors = anchors or Anchors(())
        self._waiting: list[Entry] = []
        self._dropped: Counter[str] = Counter()
        self._timer: int | None = None
        self._care: int | None = None
        self._is_due = False
        self._keys_due = False
        self._failing = False

    def commit(self, entries: Sequence[Entry]) -> None:
        """Make these durable now, and all that waited before them.

        Raises:
            Refused: the ledger has not taken them, so what they tell of must not be done.
        """
        try:
            together = [*self._waiting, *self._told_of_dropped(), *entries]
            self._ledger.append(together, keys_later=True)
        except Refused:
            raise
        except Exception as error:
            log.write("error", "record failed", defect=traceback.format_exc()[-2000:])
            self._sift()
            message = f"this cannot be recorded, so it is not done: {type(error).__name__}"
            raise Unrecordable("Broken", message) from error
        if not self._keys_due:  # what waits for these records need not wait for the keys
            self._keys_due = True
            self._loop.at_rest(self._keep_up)
        self._waiting.clear()
        self._dropped.clear()
        self._loop.cancel(self._timer)
        self._timer = None
        self._failing = False
        self._look_after()

    def _keep_up(self) -> None:
        self._keys_due = False
        self._ledger.keep_up()

    def last(self, before: int | None = None) -> list[str]:
        """The last lines that are durable, or those before a record. Raises Refused."""
        return self._ledger.last(before)

    def later(self, entry: Entry) -> None:
        """Make this durable soon: it tells of something that has happened, or was not done."""
        if len(self._waiting) >= _MOST:
            self._dropped[entry.event] += 1
            return
        self._waiting.append(entry)
        if self._timer is None:
            self._timer = self._loop.later(_SECONDS, self.flush)

    def prepare(self) -> None:
        """Seal what waits, so that who comes next waits less; to be asked when nobody does."""
        self._ledger.seal_ahead(self._waiting)

    def flush(self) -> None:
        """Write what waits; where the disk does not take it, try again in a while."""
        self._timer = None
        if not self._waiting:
            return
        try:
            self.commit(())
        except Refused as refusal:
            if not self._failing:
                log.write("error", "ledger fails", why=refusal.message)
            self._failing = True
            self._timer = self._loop.later(_RETRY_SECONDS, self.flush)

    def close(self, last: Entry) -> None:
        """Write all that waits, one last entry and a signature, as far as the disk takes them."""
        try:
            self.commit([last])
            self._anchors.tell(self._ledger.checkpoint())
        except Refused as refusal:
            log.write("error", "ledger fails", why=refusal.message)
        self._ledger.close()

    def _sift(self) -> None:
        """Let go of what waits and can never be written; that it was there is told."""
        for entry in tuple(self._waiting):
            if not self._ledger.can_tell(entry):
                self._waiting.remove(entry)
                self._dropped[entry.event] += 1

    def _told_of_dropped(self) -> list[Entry]:
        """Where more came than could wait: how much of what is missing."""
        return [Entry("unrecorded", dict(self._dropped))] if self._dropped else []

    # -- what comes due ----------------------------------------------------------------------------------

    def _look_after(self) -> None:
        if self._is_due or not (self._ledger.wants_checkpoint or self._ledger.wants_turning):
            if self._care is None:
                self._care = self._loop.later(_CARE_SECONDS, self._tend)
            return
        self._is_due = True
        self._loop.cancel(self._care)
        self._care = self._loop.later(0.0, self._tend)

    def _tend(self) -> None:
        self._care, self._is_due = None, False
        try:
            if self._ledger.wants_turning:
                self._anchors.tell(self._ledger.turn())
            elif self._ledger.wants_checkpoint:
                self._anchors.tell(self._ledger.checkpoint())
        except Refused as refusal:
            log.write("error", "ledger not signed", why=refusal.message)
            self._is_due = True  # or a full disk would be tried with every record
        if self._ledger.unsigned:
            self._care = self._loop.later(_CARE_SECONDS, self._tend)
