"""The primary is the host that leads by its own word, in Patroni's API."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from application.eventstore.hosts import Address
from interface import patroni
from tests.support.service import free_port

MEMBERS = [
    {"name": "n1", "role": "replica", "host": "10.0.0.1", "port": 5432},
    {"name": "n2", "role": "leader", "host": "10.0.0.2", "port": 5433},
]


@contextmanager
def node(*, leads: bool, cluster: object) -> Iterator[str]:
    """Patroni's API on one node, and its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_primary = self.path == "/primary"
            body = json.dumps({"role": "replica"} if is_primary else cluster).encode()
            self.send_response(503 if is_primary and not leads else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_node_that_leads_names_the_primary() -> None:
    stale = [MEMBERS[0] | {"role": "leader"}, MEMBERS[1]]
    with (
        node(leads=False, cluster={"members": stale}) as replica,
        node(leads=True, cluster={"members": MEMBERS}) as leader,
    ):
        silent = f"http://127.0.0.1:{free_port()}"
        assert patroni.primary([silent, replica, leader]) == Address("10.0.0.2", "5433")
        assert patroni.primary([silent, replica]) is None
        assert [patroni.answers(url) for url in (silent, replica)] == [False, True]


def test_an_answer_of_something_else_names_nobody() -> None:
    answers: list[object] = [[], {"members": 1}, {"members": [1, {"role": "leader"}]}, {}]
    for cluster in answers:
        with node(leads=True, cluster=cluster) as url:
            assert patroni.primary([url]) is None
