"""Senders of mails and webhooks in processes of their own, to be killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SCRIPT = """
import os, sys
from datetime import timedelta
from interface.mail import writer  # what a sender loads for its first mail
from interface.webhooks import messages  # and for its first message
from interface.runtime import delivery_process
from interface.settings import Settings

for _ in sys.stdin:
    child = os.fork()
    if not child:
        settings = Settings.from_environment(os.environ)
        delivery_process.run(settings, claim=timedelta(seconds=1))
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class MailSenders:
    """Starts one sender after the other. All of them are forks of a process that has loaded it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self) -> int:
        """Starts a sender and returns its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write("start\n")
        self._process.stdin.flush()
        return int(self._line())

    def wait(self) -> None:
        """Waits until the sender has ended."""
        assert self._line() == "ended"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def mail_senders(conninfo: str, **settings: str) -> Iterator[MailSenders]:
    """Gets ready to start senders, whose claims last for a second."""
    environment = os.environ | {"ADMITONE_DATABASE_URL": conninfo} | settings
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield MailSenders(process)
        except BaseException:  # a sender may be running still, for which the process would wait
            os.killpg(process.pid, signal.SIGKILL)
            raise
