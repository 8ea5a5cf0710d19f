"""How often something may happen: some at once, and then so many a second."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """Lets through `burst` at once, and `per_second` after that."""

    burst: float
    per_second: float
    _left: float = field(init=False)
    _when: float = field(init=False)

    def __post_init__(self) -> None:
        self._left = self.burst
        self._when = time.monotonic()

    def take(self) -> bool:
        """Whether one more may happen now; it is counted if so."""
        now = time.monotonic()
        self._left = min(self.burst, self._left + (now - self._when) * self.per_second)
        self._when = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
