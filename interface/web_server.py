"""`python -m interface.web_server`: the web workers, as `admitone serve` runs them."""

import os

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from interface.lifeline import end_with_parent
from interface.settings import Settings

BLOCKING_THREADS = 4  # with one, a plain request would wait behind a slow one
RESPAWN_SECONDS = 0.5
KILL_SECONDS = 10  # for requests in flight when told to stop


def main() -> None:
    """Serve until SIGTERM; a worker that dies is replaced."""
    settings = Settings.from_environment(os.environ)
    end_with_parent()
    Granian(
        "interface.wsgi:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        blocking_threads=BLOCKING_THREADS,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=KILL_SECONDS,
    ).serve()


if __name__ == "__main__":
    main()
