import psycopg
import pytest
from psycopg import sql

from application.accounts import Account, Accounts
from interface.bootstrap import Services
from tests.desk import Desk


@pytest.fixture
def desk(services: Services) -> Desk:
    """Gives commands to services on an empty database."""
    return Desk(services)


@pytest.fixture
def accounts(services: Services) -> Accounts:
    """The accounts of an empty database."""
    return services.accounts


@pytest.fixture
def olivia(accounts: Accounts) -> Account:
    """An owner."""
    return accounts.create(email="olivia@example.org", name="Olivia Owner", roles=("owner",))


def rows_of(conninfo: str, table: str) -> str:
    """Everything that a table holds, as text."""
    with psycopg.connect(conninfo) as conn:
        query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
        return "\n".join(row for (row,) in conn.execute(query))
