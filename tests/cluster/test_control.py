"""The control: without synchronous replication a failover does lose, and a drill sees it."""

from pathlib import Path

import pytest

from tests.cluster.cluster import running_cluster
from tests.cluster.conftest import VERSION
from tests.cluster.drill import another_primary, drill
from tests.cluster.hosts import running_hosts


def test_asynchronous_replication_loses_what_was_acknowledged(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    agreed = {"synchronous_mode": False, "synchronous_mode_strict": False}
    with (
        running_cluster(tmp_path_factory.mktemp("cluster"), VERSION, **agreed) as cluster,
        running_hosts(cluster, tmp_path_factory.mktemp("hosts")) as hosts,
        drill(cluster, hosts, tmp_path) as running,
    ):
        old = cluster.the_primary()
        receivers = [cluster.receiver(node) for node in cluster.nodes if node is not old]
        for receiver in receivers:
            receiver.freeze()
        running.wait_for_progress()
        cluster.kill(old)
        for receiver in receivers:
            receiver.kill()  # and what had come as far as its socket
        another_primary(cluster, old)
    running.report("asynchronous replication, primary killed")
    assert "lost" in {fault.kind for fault in running.faults}
