"""Clients of several processes work while everything is attacked; the log must explain it all.

`FAULTS_OPERATIONS` (50,000) is how much they ask for. `FAULTS_SEED` repeats a run's choices.
"""

import os
from collections import Counter
from pathlib import Path
from random import SystemRandom
from time import monotonic

from tests.faults.history import check
from tests.faults.under_attack import attacked, work_under_attack

OPERATIONS = int(os.environ.get("FAULTS_OPERATIONS", "50000"))
SEED = int(os.environ.get("FAULTS_SEED") or SystemRandom().randrange(10**6))


def test_nothing_is_lost_doubled_overlapped_or_refused_wrongly(tmp_path: Path) -> None:
    print(f"\nFAULTS_SEED={SEED}")
    begun = monotonic()
    with attacked(tmp_path, SEED) as under:
        result = work_under_attack(under, operations=OPERATIONS)
        faults = check(result.operations, result.log)
        print(f"{len(result.operations)} operations in {monotonic() - begun:.0f} s")
        print(f"answers: {dict(result.answers.most_common())}")
        print(f"{under.done.total()} attacks: {dict(sorted(under.done.items()))}")
        print(f"{dict(Counter(entry.what for entry in result.log))} in the log")
        print(f"{len(faults)} faults: {dict(Counter(fault.kind for fault in faults))}")
        for fault in faults[:10]:
            print(fault)
        assert not faults
        assert not {answer for answer in result.answers if answer.startswith("500")}
        service = under.service
        service.command("audit", "report", "single-use")
        print(service.command("projections", "verify", "--all").stdout)
        print(service.command("audit", "verify").stdout)
