"""The lag of each view behind the log, now and over the last hour."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database

SAMPLE_SECONDS = 15.0
RETENTION = timedelta(hours=1)  # of samples
# A larger lag is reported as this many: an operator has to act either way.
MOST_COUNTED = 100_000

# Seconds are the age of the oldest event that the view has not seen, by the database's clock.
LAG = f"""
    SELECT p.name, p.position,
        (SELECT count(*) FROM (SELECT FROM stored_events WHERE notification_id > p.position
            LIMIT {MOST_COUNTED}) AS unseen) AS events,
        coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - recorded_at))
            FROM stored_events WHERE notification_id > p.position
            ORDER BY notification_id LIMIT 1), 0)::float8 AS seconds
    FROM projection_positions p WHERE p.name = ANY(%s)"""  # noqa: S608 - a constant


# Both subqueries use an index.
_LONGEST = """
    SELECT greatest(0, extract(epoch FROM clock_timestamp() - recorded_at))::float8 AS seconds
    FROM stored_events WHERE notification_id >
        (SELECT min(position) FROM projection_positions WHERE name = ANY(%s))
    ORDER BY notification_id LIMIT 1"""


class Sample(NamedTuple):
    """The lag of a view at a moment (UTC): unseen events, and the age of the oldest in seconds."""

    at: datetime
    events: int
    seconds: float


def longest_seconds(database: Database, names: Sequence[str]) -> float:
    """Returns the age of the oldest event that one of these views has not seen; 0.0 if none."""
    row = database.fetch_one(_LONGEST, (list(names),))
    return row["seconds"] if row else 0.0


def sample(conn: Connection[DictRow], names: Sequence[str]) -> None:
    """Stores the lag of these views now, and deletes samples that are older than an hour."""
    with conn.transaction():
        conn.execute(
            f"INSERT INTO lag_samples (name, events, seconds)"  # noqa: S608 - a constant
            f" SELECT name, events, seconds FROM ({LAG}) AS lag ON CONFLICT DO NOTHING",
            (list(names),),
        )
        conn.execute("DELETE FROM lag_samples WHERE at < now() - %s", (RETENTION,))


def last_hour(database: Database, names: Sequence[str]) -> tuple[datetime, dict[str, list[Sample]]]:
    """Returns the database's time, and the samples of each view in the last hour, by time."""

    def read(conn: Connection[DictRow]) -> tuple[datetime, dict[str, list[Sample]]]:
        by_name: dict[str, list[Sample]] = {name: [] for name in names}
        with conn.transaction():
            for row in conn.execute(
                """SELECT name, at, events, seconds FROM lag_samples
                WHERE name = ANY(%s) AND at >= now() - %s ORDER BY at""",
                (list(names), RETENTION),
            ):
                by_name[row["name"]].append(Sample(row["at"], row["events"], row["seconds"]))
            (row,) = conn.execute("SELECT now() AS now").fetchall()
        return row["now"], by_name

    return database.run_idempotent(read)
