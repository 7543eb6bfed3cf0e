"""Fixtures and helpers for the tests of the application."""

import json
from datetime import datetime

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from application.audit.single_use_report import report
from application.people.accounts import Account, Accounts
from application.people.api_keys import ApiKeys
from interface.bootstrap import Services
from tests.application.audit.single_use_statements import LATER, Prove, Report


@pytest.fixture
def prove(conninfo: str) -> Prove:
    """Makes the single-use report of the current log, by default as of a year later."""

    def make(
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        now: datetime = LATER,
        checkpoint: str | None = None,
    ) -> Report:
        with psycopg.connect(conninfo, row_factory=dict_row) as conn:
            found = report(conn, since=since, until=until, now=now, checkpoint=checkpoint)
        decoded: Report = json.loads(json.dumps(found))
        assert decoded == found
        return decoded

    return make


@pytest.fixture
def accounts(services: Services) -> Accounts:
    """The accounts of an empty database."""
    return services.accounts


@pytest.fixture
def api_keys(services: Services) -> ApiKeys:
    """The API keys of an empty database."""
    return services.api_keys


@pytest.fixture
def olivia(accounts: Accounts) -> Account:
    """An owner."""
    return accounts.create(email="olivia@example.org", name="Olivia Owner", roles=("owner",))


def rows_of(conninfo: str, table: str) -> str:
    """Returns all rows of a table as text."""
    with psycopg.connect(conninfo) as conn:
        query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
        return "\n".join(row for (row,) in conn.execute(query))
