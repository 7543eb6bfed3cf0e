"""A thousand moments of a log, each replayed and compared with the state that was saved then."""

import os

from psycopg import Connection
from psycopg.rows import DictRow

from tests.application.audit.saved_states import check_replay, commands_at_random
from tests.support.desk import Desk

COUNT = int(os.environ.get("FAULTS_MOMENTS", "1000"))


def test_replay_up_to_any_of_a_thousand_moments_equals_the_state_that_was_saved(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    saved = commands_at_random(desk, seed=5, count=COUNT)
    assert len(saved) >= COUNT
    check_replay(conn, saved)
    print(f"\n{len(saved)} states replayed and equal to what was saved")
