"""The senders of one process live and end together."""

from threading import Event
from typing import Any, cast

import pytest

from application.deliveries.sender import Sender
from interface.runtime.delivery_process import run_all


class _Stub:
    """Stands for a sender that works until it is stopped, or until an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.was_stopped = False

    def run(self, stop: Event) -> None:
        if self._error is not None:
            raise self._error
        self.was_stopped = stop.wait(30)


def test_an_error_of_one_sender_ends_all_of_them_and_is_raised() -> None:
    waiting, failing = _Stub(), _Stub(MemoryError("no more"))
    senders: Any = [waiting, failing]
    with pytest.raises(MemoryError, match="no more"):
        run_all(cast("list[Sender]", senders), Event())
    assert waiting.was_stopped
