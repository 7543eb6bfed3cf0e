"""One cluster and one set of hosts for all drills. `CLUSTER_POSTGRES` is 18 (or 15)."""

import os
import sys
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.figures import measured
from tests.cluster.hosts import Hosts, running_hosts
from tests.cluster.programs import Missing, Programs

VERSION = int(os.environ.get("CLUSTER_POSTGRES") or 18)


@pytest.fixture(scope="session", autouse=True)
def _everything_is_installed() -> None:
    """Ends the run as failed if it can't be done: a drill that was skipped looks like a success."""
    if sys.platform != "linux":
        pytest.exit("The drills need the loopback addresses and the processes of Linux.", 1)
    try:
        Programs.find(VERSION)
    except Missing as missing:
        pytest.exit(str(missing), 1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that replicates synchronously. A drill leaves it whole."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), VERSION) as running:
        yield running


@pytest.fixture(scope="session")
def hosts(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """The service on that cluster."""
    with running_hosts(cluster, tmp_path_factory.mktemp("hosts")) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints all figures at the end of the run."""
    if measured:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(measured))
