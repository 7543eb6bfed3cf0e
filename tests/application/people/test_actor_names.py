"""The person and the key behind an actor."""

from application.people.accounts import Account
from application.people.actor_names import ActorName, actor_names
from application.people.api_keys import ApiKeys
from interface.bootstrap import Services
from tests.support.examples import NOW


def test_accounts_and_keys_are_named_and_nobody_else(
    services: Services, api_keys: ApiKeys, olivia: Account
) -> None:
    prefix = api_keys.create(olivia, name="CRM", now=NOW).split("_")[1]
    api_keys.revoke(prefix, now=NOW)
    account, key = f"account:{olivia.id}", f"key:{prefix}"
    others = (None, "", "invitee", "command:root", "account:x", "key:\0", f"account:{prefix}")
    with services.database.connection() as conn:
        assert actor_names(conn, [account, key, *others]) == {
            account: ActorName(olivia.name, olivia.email, None),
            key: ActorName(olivia.name, olivia.email, "CRM"),
        }
