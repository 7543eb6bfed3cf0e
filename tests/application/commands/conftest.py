"""A database that fails in the middle of a save."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest

from interface.bootstrap import Services

FAILURE = "in the middle"
FailingCommits = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def failing_commits(services: Services) -> FailingCommits:
    """Lets every commit fail within a block, once all rows are written to a table."""

    @contextmanager
    def fail(table: str) -> Iterator[None]:
        with services.database.connection() as conn:
            conn.execute(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION '{FAILURE}'; END $$"
            )
            conn.execute(
                f"CREATE CONSTRAINT TRIGGER last AFTER INSERT ON {table} DEFERRABLE"
                " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"
            )
        try:
            with pytest.raises(psycopg.errors.RaiseException, match=FAILURE):
                yield
        finally:
            with services.database.connection() as conn:
                conn.execute("DROP FUNCTION fail CASCADE")

    return fail
