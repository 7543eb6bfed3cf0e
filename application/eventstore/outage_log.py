"""Tells the log of a process when work in a loop begins to fail, and when it goes on."""

from logging import Logger
from time import monotonic

from application.eventstore.database import safe_description


class OutageLog:
    """Writes a line when something begins to fail and one when it is over, however often it fails.

    Meant for one thread; several may say the same twice.
    """

    def __init__(self, log: Logger, failing: str, over: str) -> None:
        """`failing` goes before the description of an error, `over` before the seconds it took."""
        self._log = log
        self._failing, self._over = failing, over
        self._since: float | None = None

    def failed(self, error: BaseException) -> None:
        """Warns, unless the work has been failing already."""
        if self._since is None:
            self._since = monotonic()
            self._log.warning("%s: %s", self._failing, safe_description(error))

    def succeeded(self) -> None:
        """Says that the work goes on, if it had been failing."""
        if self._since is not None:
            self._log.info("%s after %.1f s", self._over, monotonic() - self._since)
            self._since = None
