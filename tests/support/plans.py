"""The plans of the statements that a connection has prepared."""

import re
from collections.abc import Iterator

from psycopg import Connection
from psycopg.rows import DictRow

JOINS_OF_ALL = ("Hash Join", "Merge Join")
_SCAN = re.compile(r"(Seq|Index|Index Only|Bitmap Index) Scan .*on [a-z]")


def prepared_plans(conn: Connection[DictRow]) -> Iterator[tuple[str, str]]:
    """Yields each statement and its generic plan."""
    for row in conn.execute(
        "SELECT name, statement, cardinality(parameter_types) AS count FROM pg_prepared_statements"
    ).fetchall():
        values = ", ".join(["NULL"] * row["count"])
        call = f"EXECUTE {row['name']}" + (f"({values})" if values else "")
        lines = conn.execute(f"EXPLAIN {call}".encode()).fetchall()
        yield row["statement"], "\n".join(line["QUERY PLAN"] for line in lines)


def scans_of_all(plan: str) -> Iterator[str]:
    """Yields the lines of a plan that read all of a table or of an index."""
    for node in plan.split("->"):
        if _SCAN.search(node) and "Index Cond" not in node:
            yield node.strip().splitlines()[0]
