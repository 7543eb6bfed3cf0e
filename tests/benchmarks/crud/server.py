"""`python -m tests.benchmarks.crud.server`: the hand-written service on our own web server."""

import os

from flask import Flask

from interface.runtime import parent_watchdog, web_server
from interface.runtime.request_front import RequestFront
from interface.settings import Settings
from tests.benchmarks.crud.service import create_app, new_pool


def application() -> Flask:
    """Builds the application on what the environment names."""
    pool = new_pool(os.environ["CRUD_DATABASE_URL"], connections=Settings.pool_size)
    return create_app(pool, os.environ["CRUD_KEY_SHA256"], tells="CRUD_MAILS" in os.environ)


def worker() -> RequestFront:
    """Builds the application behind our front, with as many threads as ours has."""
    parent_watchdog.end_with_parent()
    return RequestFront(application(), threads=web_server.THREADS)


if __name__ == "__main__":
    parent_watchdog.end_with_parent()
    os.environ |= parent_watchdog.for_children(os.environ)
    web_server.serve(
        worker,
        host="127.0.0.1",
        port=int(os.environ["CRUD_PORT"]),
        workers=int(os.environ["CRUD_WORKERS"]),
    )
