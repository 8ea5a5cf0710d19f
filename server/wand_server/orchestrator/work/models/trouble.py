"""What may go wrong while a model answers."""

from wand_proto.errors import Unavailable, WandError


class Busy(Exception):
    """A model does not answer now, for all patience; later it may, and not before so many seconds."""

    def __init__(self, error: WandError, after_seconds: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_seconds = after_seconds


class Trouble(Exception):
    """An answer that did not come, or broke off; where it `may_pass`, to ask again may help."""

    def __init__(
        self, why: str | WandError, *, may_pass: bool = True, after_seconds: float | None = None
    ) -> None:
        self.error = why if isinstance(why, WandError) else Unavailable(why)
        super().__init__(str(self.error))
        self.may_pass = may_pass
        self.after_seconds = after_seconds  # as the server asks
