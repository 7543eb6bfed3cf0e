"""Patroni's API, as far as we ask it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@contextmanager
def node(*, leads: bool, cluster: object) -> Iterator[str]:
    """Yields the address of a node that says whether it leads, and what the cluster is."""

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
