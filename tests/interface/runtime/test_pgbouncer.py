"""PgBouncer in front of the database: refused in transaction mode, used in session mode."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from interface.bootstrap import TransactionPooling, apply_schema, require_schema
from tests.support.service import free_port
from tests.support.waiting import wait_until

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")


@contextmanager
def pgbouncer(folder: Path, conninfo: str, **settings: str) -> Iterator[str]:
    """PgBouncer on a port of its own in front of this database; the address through it."""
    port, parts = free_port(), conninfo_to_dict(conninfo)
    server = " ".join(
        f"{name}={parts[name]}" for name in ("host", "port", "dbname", "user") if name in parts
    )
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
    } | settings
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        "\n".join(
            ["[databases]", f"pooled = {server}", "[pgbouncer]"]
            + [f"{name} = {value}" for name, value in lines.items()]
        )
    )
    # It refuses to run as root.
    user = ["--user", "--map-user=65534", "--map-group=65534"]
    prefix = ["unshare", *user] if os.geteuid() == 0 else []
    process = subprocess.Popen([*prefix, str(PGBOUNCER), "-q", str(configuration)])
    through = make_conninfo(host="127.0.0.1", port=port, dbname="pooled", user=parts["user"])

    def answers() -> bool:
        assert process.poll() is None, "it did not start"
        try:
            psycopg.connect(through).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(answers)
        yield through
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("round_robin", ["0", "1"])
def test_in_transaction_mode_it_is_refused_with_the_remedy(
    tmp_path: Path, new_database: Callable[[], str], round_robin: str
) -> None:
    with (
        pgbouncer(
            tmp_path, new_database(), pool_mode="transaction", server_round_robin=round_robin
        ) as through,
        pytest.raises(TransactionPooling) as refused,
    ):
        apply_schema(through)
    assert "pool_mode = session" in refused.value.detail


def test_in_session_mode_it_is_used(tmp_path: Path, new_database: Callable[[], str]) -> None:
    with pgbouncer(tmp_path, new_database(), pool_mode="session") as through:
        require_schema(through)
        assert apply_schema(through) == []
