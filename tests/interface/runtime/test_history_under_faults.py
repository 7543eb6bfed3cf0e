"""The short form of `make faults`: some hundred operations on a service that is attacked.

`FAULTS_SEED` is another seed than 1.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.faults.history import check
from tests.faults.under_attack import Attacked, attacked, work_under_attack

OPERATIONS = 500
SEED = int(os.environ.get("FAULTS_SEED") or 1)

ATTACKS = (
    Attacked.kill_everything,
    Attacked.stop_the_database_at_once,
    Attacked.terminate_backends,
    Attacked.freeze_a_worker_in_its_append,
    Attacked.lose_replies_of_commits,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_what_clients_are_told_while_everything_is_attacked_agrees_with_the_log(
    tmp_path: Path,
) -> None:
    with attacked(tmp_path, SEED, ATTACKS) as under:
        result = work_under_attack(under, operations=OPERATIONS, threads=2)
    assert check(result.operations, result.log) == [], f"with FAULTS_SEED={SEED}"
    assert {entry.what for entry in result.log} == {"issued", "redeemed", "revoked"}
