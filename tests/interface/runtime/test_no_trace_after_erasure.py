"""After erasure no dump, log or file holds anything that the person typed."""

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest

from interface.bootstrap import build
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.runtime.postgres_binaries import find_binaries
from interface.settings import Settings
from tests.support.desk import Desk
from tests.support.http_desk import created
from tests.support.service import Service, running_service
from tests.support.waiting import at_once, wait_until

PERSON = {
    "name": "Zebedee Quark",
    "email": "zebedee.quark@example.org",
    "time_zone": "Pacific/Chatham",
}
# One word of each field that people fill in.
WORDS = ("Zebedee", "zebedee.quark@", "Chatham", "walnuts", "lighthouse", "keeper", "ankle")


@pytest.fixture(scope="module")
def own_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a PostgreSQL of its own, whose log is then its own too."""
    with running_service(tmp_path_factory.mktemp("own"), None) as running:
        yield running


def data_of(service: Service) -> Path:
    return Path(service.environment["ADMITONE_DATA"])


def conninfo_of(service: Service) -> str:
    return EmbeddedPostgres(data_of(service) / "postgres").conninfo


def dump_of(service: Service) -> str:
    """All of the database, as pg_dump writes it."""
    done = subprocess.run(
        [find_binaries() / "pg_dump", "--dbname", conninfo_of(service)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def logs_of(service: Service) -> str:
    """Returns the logs of all processes of the service, including PostgreSQL's."""
    logs = [*data_of(service).glob("*.log"), *(data_of(service) / "postgres").glob("*.log")]
    assert {"service.log", "server.log"} <= {log.name for log in logs}
    return "".join(log.read_text(errors="replace") for log in logs)


def mails_about(service: Service, booking_id: str) -> list[Path]:
    """Returns the files of mails about a booking, which do not go out."""
    return list((data_of(service) / "mail").glob(f"{booking_id}.*.eml"))


def words_in(text: str) -> set[str]:
    """Returns which of the person's words are in a text, plain or as hexadecimal bytes."""
    found = text.lower()
    return {word for word in WORDS if word.lower() in found or word.encode().hex() in found}


def in_the_file_of_personal_data(conninfo: str) -> bool:
    """Returns True if the name is on the disk, in a row or in the space of a deleted one."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
        row = conn.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath('personal_data'))"
        ).fetchone()
    assert row is not None
    return b"Zebedee" in row[0]


def use_everything(service: Service) -> tuple[str, list[str]]:
    """Lets a person be invited, book, be refused, be searched for and cancel.

    Returns their booking, and the secrets that were used.
    """
    replaced = service.new_link(recipient="The keeper", note="Met at the lighthouse")
    link = created(service.replace(replaced))
    start = service.slots(link)[0]
    redeem = partial(service.redeem, link, start, invitee=PERSON, notes="Allergic to walnuts")
    assert redeem(invitee=PERSON | {"email": "zebedee.quark@"}).status_code == 422
    answers = at_once([partial(redeem, key=f"k-{n}") for n in range(8)])
    booking_id: str = next(
        answer.json["booking_id"] for answer in answers if answer.status_code == 201
    )
    assert {answer.status_code for answer in answers} == {201, 410}
    for query in (PERSON["name"], PERSON["email"], "walnuts", "keeper"):
        for path in ("bookings", "links"):
            assert service.get(f"/{path}?q={quote(query)}").status_code == 200
    built = build(Settings(data=data_of(service)), conninfo_of(service))
    try:
        Desk(built).cancel(UUID(booking_id), reason="Twisted an ankle", by_invitee=True)
    finally:
        built.close()
    manage_url = next(a.json["manage_url"] for a in answers if a.status_code == 201)
    return booking_id, [service.key, link["token"], manage_url.rpartition("/")[2]]


def test_after_erasure_no_dump_log_or_file_holds_anything_the_person_typed(
    own_service: Service,
) -> None:
    booking_id, secrets = use_everything(own_service)
    conninfo = conninfo_of(own_service)
    wait_until(lambda: len(mails_about(own_service, booking_id)) == 4)
    before = dump_of(own_service)
    assert words_in(before) == set(WORDS)
    assert b"booking_id".hex() in before  # events are dumped as hexadecimal bytes
    assert in_the_file_of_personal_data(conninfo)

    answer = own_service.forget(booking_id)
    assert (answer.status_code, answer.json["invitee"]) == (200, None)

    wait_until(lambda: mails_about(own_service, booking_id) == [])
    assert words_in(dump_of(own_service)) == set()
    logs = logs_of(own_service)
    assert words_in(logs) == set()
    assert [secret for secret in secrets if secret in logs] == []
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("VACUUM FULL personal_data")
    assert not in_the_file_of_personal_data(conninfo)
