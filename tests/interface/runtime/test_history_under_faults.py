"""The short form of `make faults`: some hundred operations on a service that is attacked."""

import sys
from pathlib import Path

import pytest

from tests.faults.history import check
from tests.faults.under_attack import attacked, work_under_attack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_what_clients_are_told_while_everything_is_attacked_agrees_with_the_log(
    tmp_path: Path,
) -> None:
    with attacked(tmp_path, seed=1) as under:
        result = work_under_attack(under, operations=400)
    assert check(result.operations, result.log) == []
    assert {entry.what for entry in result.log} == {"issued", "redeemed", "revoked"}
