"""What goes to the ledger at once, and what may wait a moment to share its way to the disk."""

from collections.abc import Sequence

from wand_hostagent.launcher import log
from wand_hostagent.launcher.ledger import Entry, Ledger
from wand_hostagent.launcher.loop import Loop
from wand_hostagent.launcher.refusal import Refused

_SECONDS = 0.02
_RETRY_SECONDS = 1.0
_MOST = 4096  # entries that wait; only a full disk makes so many


class Journal:
    """The ledger, with a place to wait in front of it."""

    def __init__(self, ledger: Ledger, loop: Loop) -> None:
        self._ledger = ledger
        self._loop = loop
        self._waiting: list[Entry] = []
        self._timer: int | None = None
        self._failing = False

    def commit(self, entries: Sequence[Entry]) -> None:
        """Make these durable now, and all that waited before them.

        Raises:
            Refused: the ledger has not taken them, so what they tell of must not be done.
        """
        self._ledger.append([*self._waiting, *entries])
        self._waiting.clear()
        self._loop.cancel(self._timer)
        self._timer = None
        self._failing = False

    def later(self, entry: Entry) -> None:
        """Make this durable soon: it tells of something that has happened, or was not done."""
        if len(self._waiting) >= _MOST:
            log.write("error", "record lost", entry=entry.event)
            return
        self._waiting.append(entry)
        if self._timer is None:
            self._timer = self._loop.later(_SECONDS, self.flush)

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
        """Write all that waits and one last entry, as far as the disk takes them."""
        try:
            self.commit([last])
        except Refused as refusal:
            log.write("error", "ledger fails", why=refusal.message)
        self._ledger.close()
