"""Issuing and redeeming a link takes a bounded number of bytecodes in a web process.

The number hardly depends on the machine or its load, so every step that makes a pair more expensive
shows here. The hand-written service is counted as well, because each version of Python has
bytecodes of its own. `python -m tests.benchmarks.bytecodes` tells which functions take them.
"""

from collections.abc import Callable
from pathlib import Path

from flask import Flask

from interface.bootstrap import Services
from tests.benchmarks.bytecodes import a_pair, counted
from tests.benchmarks.in_one_process import crud_pairs, log_to_nowhere, our_pairs, our_services

MOST = 0.98
"""Bytecodes of ours / of the hand-written service. To be lowered whenever ours takes fewer."""


def test_a_pair_takes_a_bounded_multiple_of_the_bytecodes_of_hand_written_rows(
    web_application: Callable[[Services], Flask], new_database: Callable[[], str], tmp_path: Path
) -> None:
    with (
        our_services(tmp_path, new_database()) as services,
        crud_pairs(new_database()) as hand_written,
        log_to_nowhere(),
    ):
        ours = counted(our_pairs(services, web_application(services)))
        theirs = counted(hand_written)
    assert a_pair(ours.own) / a_pair(theirs.own) <= MOST
