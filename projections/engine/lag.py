"""How far each view is behind the log, now and over the last hour."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database

SAMPLE_SECONDS = 15.0
KEPT = timedelta(hours=1)
# More is told as this many: an operator has to act either way.
MOST_COUNTED = 100_000

# The age of the oldest event that the view has not seen, by the database's own clock.
LAG = f"""
    SELECT p.name, p.position,
        (SELECT count(*) FROM (SELECT FROM stored_events WHERE notification_id > p.position
            LIMIT {MOST_COUNTED}) AS unseen) AS events,
        coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - recorded_at))
            FROM stored_events WHERE notification_id > p.position
            ORDER BY notification_id LIMIT 1), 0)::float8 AS seconds
    FROM projection_positions p WHERE p.name = ANY(%s)"""  # noqa: S608 - a constant


# The oldest event that one of these views has not seen; an index leads to it.
_LONGEST = """
    SELECT greatest(0, extract(epoch FROM clock_timestamp() - recorded_at))::float8 AS seconds
    FROM stored_events WHERE notification_id >
        (SELECT min(position) FROM projection_positions WHERE name = ANY(%s))
    ORDER BY notification_id LIMIT 1"""


class Sample(NamedTuple):
    """The lag of a view at a moment (UTC): unseen events, and the age of the oldest of them."""

    at: datetime
    events: int
    seconds: float


def longest_seconds(database: Database, names: Sequence[str]) -> float:
    """The age of the oldest event that one of these views has not seen, without counting any."""
    row = database.fetch_one(_LONGEST, (list(names),))
    return row["seconds"] if row else 0.0


def sample(conn: Connection[DictRow], names: Sequence[str]) -> None:
    """Note the lag of these views, and forget what is older than an hour."""
    with conn.transaction():
        conn.execute(
            f"INSERT INTO lag_samples (name, events, seconds)"  # noqa: S608 - a constant
            f" SELECT name, events, seconds FROM ({LAG}) AS lag ON CONFLICT DO NOTHING",
            (list(names),),
        )
        conn.execute("DELETE FROM lag_samples WHERE at < now() - %s", (KEPT,))


def last_hour(database: Database, names: Sequence[str]) -> tuple[datetime, dict[str, list[Sample]]]:
    """Returns the database's time, and the samples of each view in order of time."""

    def read(conn: Connection[DictRow]) -> tuple[datetime, dict[str, list[Sample]]]:
        by_name: dict[str, list[Sample]] = {name: [] for name in names}
        with conn.transaction():
            for row in conn.execute(
                """SELECT name, at, events, seconds FROM lag_samples
                WHERE name = ANY(%s) AND at >= now() - %s ORDER BY at""",
                (list(names), KEPT),
            ):
                by_name[row["name"]].append(Sample(row["at"], row["events"], row["seconds"]))
            (row,) = conn.execute("SELECT now() AS now").fetchall()
        return row["now"], by_name

    return database.run_idempotent(read)
