"""`admitone audit`: replay, verify, checkpoint, export and accesses."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from application.people.security_log import account_actor
from application.proofs import verifier
from tests.support.command_line import Command, refusal
from tests.support.desk import Desk
from tests.support.examples import ADA, OWNER
from tests.support.log_trigger import bypass_log_trigger


def accesses(conninfo: str) -> list[str]:
    with psycopg.connect(conninfo) as conn:
        return [what for (what,) in conn.execute("SELECT what FROM audit_accesses ORDER BY id")]


def tamper(conninfo: str, position: int) -> None:
    with psycopg.connect(conninfo) as conn:
        bypass_log_trigger(conn)
        conn.execute(
            "UPDATE stored_events SET state = state || ' '::bytea WHERE notification_id = %s",
            (position,),
        )


def test_replay_prints_each_event_with_what_it_changed(
    admitone: Command, desk: Desk, conninfo: str
) -> None:
    link_id = desk.new_link(recipient="Countess")
    issued = desk.services.event_store.head()
    desk.redeem(link_id)
    replayed = admitone("audit", "replay", str(link_id))
    assert replayed.status == 0
    for word in (
        "link.issued",
        "Countess",
        ADA.email,
        "booking.made",
        'status: "active" → "redeemed"',
    ):
        assert word in replayed.out
    found = json.loads(admitone("audit", "replay", str(link_id), "--json").out)
    assert [event["type"] for event in found["events"]][:3] == [
        "link.issued",
        "link.redeemed",
        "booking.made",
    ]
    assert found["state"][f"link:{link_id}"]["status"] == "redeemed"
    assert found["events"][0]["position"] == issued
    then = json.loads(
        admitone("audit", "replay", str(link_id), "--as-of", str(issued), "--json").out
    )
    assert [event["type"] for event in then["events"]] == ["link.issued"]
    at = found["events"][0]["recorded_at"]
    by_time = json.loads(admitone("audit", "replay", str(link_id), "--as-of", at, "--json").out)
    assert by_time == then
    assert len(accesses(conninfo)) == 4
    assert str(link_id) in accesses(conninfo)[0]


def test_an_agenda_is_printed_for_a_period(admitone: Command, desk: Desk, conninfo: str) -> None:
    booking_id = desk.book(desk.new_link())
    period = ("--from", "2026-11-20", "--to", "2026-11-30")
    printed = admitone("audit", "agenda", str(OWNER), *period)
    assert (printed.status, str(booking_id) in printed.out) == (0, True)
    found = json.loads(admitone("audit", "agenda", str(OWNER), *period, "--json").out)
    assert [event["type"] for event in found["events"]] == ["agenda.opened", "agenda.slot_reserved"]
    assert accesses(conninfo)[0] == f"agenda of {OWNER} from 2026-11-20 to 2026-11-30"
    owner = desk.services.accounts.create(email="olga@example.org", name="Olga", roles=("owner",))
    olgas = Desk(desk.services, owner.id, actor=account_actor(owner.id))
    link_id = olgas.new_link()
    booking_id = olgas.book(link_id)
    assert str(booking_id) in admitone("audit", "agenda", "Olga@example.org", *period).out
    replayed = admitone("audit", "replay", str(link_id)).out
    assert f"by account:{owner.id} (Olga, olga@example.org)" in replayed
    assert [what for what in accesses(conninfo) if "@" in what] == []
    assert accesses(conninfo)[-2].endswith(f", found {owner.id}")
    unknown = admitone("audit", "agenda", "nobody@example.org", *period)
    assert "There is no such account." in refusal(unknown)


def test_what_cannot_be_replayed_is_refused(admitone: Command) -> None:
    sentence = refusal(admitone("audit", "replay", str(uuid4())))
    assert sentence.startswith("The log has no link, booking, calendar or agenda")
    wrong = admitone("audit", "replay", str(uuid4()), "--as-of", "yesterday")
    assert (wrong.status, wrong.out) == (2, "")
    assert "Must be a time such as" in wrong.err


def test_without_a_checkpoint_verify_and_checkpoint_are_refused(admitone: Command) -> None:
    assert refusal(admitone("audit", "verify")).startswith(
        "No checkpoint of the log has been signed"
    )
    assert refusal(admitone("audit", "checkpoint")).startswith("No checkpoint of the log")


def test_verify_accepts_an_unchanged_log_and_names_a_changed_position(
    admitone: Command, desk: Desk, conninfo: str, catch_up: Callable[[], None], tmp_path: Path
) -> None:
    desk.redeem(desk.new_link())
    catch_up()
    admitone("audit", "checkpoint")
    copy = tmp_path / "elsewhere.txt"
    assert admitone("audit", "checkpoint", "--out", str(copy)).out == f"Wrote {copy}.\n"
    desk.new_link()
    catch_up()
    admitone("audit", "checkpoint")
    honest = admitone("audit", "verify")
    assert (honest.status, honest.out.startswith("The log is as it was recorded")) == (0, True)
    assert "2 checkpoints, the first signed at 20" in honest.out
    assert admitone("audit", "verify", "--checkpoint", str(copy)).status == 0
    tamper(conninfo, 3)
    for arguments in ([], ["--checkpoint", str(copy)]):
        changed = admitone("audit", "verify", *arguments)
        assert (changed.status, changed.out) == (
            1,
            "NOT AS RECORDED: position 3: the event at this position is not what was recorded.\n",
        )


def test_verify_warns_unless_an_auditor_has_fetched_a_checkpoint_within_a_month(
    admitone: Command, desk: Desk, conninfo: str, catch_up: Callable[[], None], tmp_path: Path
) -> None:
    desk.new_link()
    catch_up()
    admitone("audit", "checkpoint", "--out", str(tmp_path / "beside.checkpoint"))

    def copies(what: str, *, days: int) -> list[str]:
        """Returns the lines about copies after an access `days` ago."""
        with psycopg.connect(conninfo) as conn:
            conn.execute(
                """INSERT INTO audit_accesses (actor, what, at)
                VALUES ('key:abc', %s, now() - %s * interval '1 day')""",
                (what, days),
            )
        lines = admitone("audit", "verify").out.splitlines()[1:]
        return [line.partition(", ")[0].partition("command:")[0] for line in lines]

    written = "A checkpoint was written to a file by "
    fetched = "A checkpoint was fetched by key:abc"
    warning = "WARNING: No auditor has fetched a checkpoint in the last month"
    given = "GET /api/v1/audit/checkpoint, answered with the checkpoint of 1 events"
    assert copies("GET /api/v1/audit/checkpoint", days=0) == [written, warning]
    assert copies(f"search {given.removeprefix('GET ')}", days=0) == [written, warning]
    as_if = f"checkpoint to x{given.removeprefix('GET /api/v1/audit/checkpoint')}"
    assert copies(as_if, days=33) == [written.replace("by ", "by key:abc"), written, warning]
    assert copies(given, days=32) == [fetched, written, warning]
    assert copies(given, days=30) == [fetched, written]


def test_verify_names_the_event_whose_personal_data_was_exchanged(
    admitone: Command, desk: Desk, conninfo: str, catch_up: Callable[[], None]
) -> None:
    booking_id = desk.book(desk.new_link())
    catch_up()
    admitone("audit", "checkpoint")
    with psycopg.connect(conninfo) as conn:
        conn.execute(
            """UPDATE personal_data SET data = data || '{"name": "Eve"}'
            WHERE originator_id = %s""",
            (booking_id,),
        )
    (made,) = [event for event in desk.log() if event["id"] == booking_id]
    found = admitone("audit", "verify")
    assert found.status == 1
    first, second, *_ = found.out.splitlines()
    assert first.startswith(f"NOT AS RECORDED: position {made['position']}: what is stored of what")
    assert second.startswith("The log is as it was recorded")
    assert "Eve" not in found.out


def test_no_checkpoint_is_signed_once_the_log_was_changed(
    admitone: Command, desk: Desk, conninfo: str, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    admitone("audit", "checkpoint")
    tamper(conninfo, 1)
    desk.new_link()
    catch_up()
    rebuild = ("projections", "rebuild", "transparency_log")
    for more in ((), ("--accept-unsigned",)):
        refused = admitone(*rebuild, *more)
        assert (refused.status, refused.out) == (1, "")
        assert "The log does not lead to the newest checkpoint" in refused.err
    assert len(admitone("audit", "checkpoint").out.splitlines()) == 7
    restored = admitone("audit", "verify")
    assert restored.out.startswith("NOT AS RECORDED: position 1: ")


def test_a_change_of_events_that_are_not_signed_yet_is_not_rebuilt_away(
    admitone: Command, desk: Desk, conninfo: str, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    admitone("audit", "checkpoint")
    desk.new_link()
    catch_up()
    tamper(conninfo, 4)
    rebuild = ("projections", "rebuild", "transparency_log")
    for _ in range(2):
        refused = admitone(*rebuild)
        assert (refused.status, refused.out) == (1, "")
        assert "Events without a checkpoint are not what was recorded" in refused.err
    assert admitone("audit", "verify").out.startswith("NOT AS RECORDED: position 4: ")
    assert "position 4" in refusal(admitone("audit", "checkpoint"))
    (job,) = desk.services.database.fetch_all("SELECT state, by_projector FROM rebuilds")
    assert job == {"state": "failed", "by_projector": False}  # nobody tries again by himself
    assert admitone(*rebuild, "--accept-unsigned").status == 0
    assert admitone("audit", "verify").status == 0


def test_the_folder_of_checkpoints_is_mended_and_what_was_done_is_said(
    admitone: Command, desk: Desk, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    admitone("audit", "checkpoint")
    repair = ("audit", "checkpoints", "repair")
    folder = desk.services.settings.checkpoints_folder
    in_order = admitone(*repair)
    assert (in_order.status, in_order.out) == (0, f"All 1 checkpoints in {folder} are in order.\n")
    (file,) = folder.glob("*/*.leaves")
    file.unlink()
    name = file.relative_to(folder)
    what = f"{name}: the leaves are missing."
    remedy = "written again from the log, which leads to this checkpoint.\n"
    assert admitone(*repair, "--dry-run").out == f"{what} To do: {remedy}"
    assert admitone(*repair).out == f"{what} Done: {remedy}"
    assert file.exists()
    tampered = file.with_suffix(".checkpoint")
    tampered.with_stem(f"{9:015}").write_text(tampered.read_text())
    assert "of another size than its file. Done: renamed" in admitone(*repair).out


def test_a_folder_that_cannot_be_written_is_a_sentence(
    admitone: Command, desk: Desk, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    folder = desk.services.settings.checkpoints_folder
    folder.write_text("a file in its place")
    assert refusal(admitone("audit", "checkpoint")) == (f"{folder} can't be written: File exists.")


@pytest.mark.parametrize("command", ["checkpoint", "export"])
def test_a_file_that_cannot_be_written_is_a_sentence(
    command: str, admitone: Command, desk: Desk, catch_up: Callable[[], None], tmp_path: Path
) -> None:
    desk.new_link()
    catch_up()
    file = tmp_path / "no-such-folder" / "file"
    assert refusal(admitone("audit", command, "--out", str(file))) == (
        f"{file} can't be written: No such file or directory."
    )


@pytest.mark.parametrize("option", ["--checkpoint", "--key"])
def test_a_file_that_is_no_text_proves_nothing(
    option: str, admitone: Command, desk: Desk, catch_up: Callable[[], None], tmp_path: Path
) -> None:
    desk.new_link()
    catch_up()
    admitone("audit", "checkpoint")
    file = tmp_path / "picture"
    file.write_bytes(b"\x89PNG\xff")
    assert "can't be used: " in refusal(admitone("audit", "verify", option, str(file)))
    folder = admitone("audit", "verify", option, str(tmp_path))
    assert (folder.status, "Is a directory" in folder.err) == (2, True)


def test_a_damaged_tree_over_an_unchanged_log_is_rebuilt(
    admitone: Command, desk: Desk, conninfo: str, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    admitone("audit", "checkpoint")
    with psycopg.connect(conninfo) as conn:
        conn.execute(
            "UPDATE transparency_log_v1 SET hashes = set_byte(hashes, 3, get_byte(hashes, 3) # 255)"
        )
    assert admitone("projections", "rebuild", "transparency_log").status == 0
    assert admitone("projections", "verify", "transparency_log").status == 0


def test_an_export_is_proved_with_the_verifier_file_alone(
    admitone: Command, desk: Desk, catch_up: Callable[[], None], tmp_path: Path
) -> None:
    for hours in range(3):
        link_id = desk.new_link()
        desk.redeem(link_id, desk.services.now() + timedelta(days=1, hours=hours + 1))
    catch_up()
    out, key = tmp_path / "export.jsonl", tmp_path / "key.txt"
    said = admitone("audit", "export", "--out", str(out), "--from", "3", "--to", "9")
    assert said.out.startswith(f"Wrote 7 events to {out}")
    key.write_text(admitone("audit", "key").out)
    head = tmp_path / "export.jsonl.checkpoint"
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "verifier.py").write_text(Path(verifier.__file__).read_text())
    checked = subprocess.run(
        [sys.executable, "-I", "verifier.py", out, "--checkpoint", head, "--key", key],
        cwd=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("Proved: 7 events from index 2 on")
    arguments = ("audit", "verify-export", str(out), "--checkpoint", str(head), "--key", str(key))
    assert admitone(*arguments).out.startswith("Proved: 7 events")
    out.write_text(out.read_text().replace('"version":1', '"version":2', 1))
    refused = admitone(*arguments)
    assert (refused.status, refused.out.startswith("NOT PROVED: position ")) == (1, True)


def test_an_export_that_ends_before_it_begins_is_refused(admitone: Command, tmp_path: Path) -> None:
    out = tmp_path / "export.jsonl"
    refused = admitone("audit", "export", "--out", str(out), "--from", "9", "--to", "8")
    assert (refused.status, out.exists()) == (2, False)
    assert "--to: Must not lie before the start." in refused.err


def test_any_range_that_is_exported_is_proved(
    admitone: Command, desk: Desk, catch_up: Callable[[], None], tmp_path: Path
) -> None:
    desk.redeem(desk.new_link())
    catch_up()
    head = desk.services.event_store.head()
    out, key = tmp_path / "export.jsonl", tmp_path / "key.txt"
    for options, count in (
        ([], head),
        (["--from", "2"], head - 1),
        (["--to", "2"], 2),
        (["--from", str(head + 1)], 0),
        (["--from", str(head), "--to", str(head + 9)], 1),
    ):
        said = admitone("audit", "export", "--out", str(out), *options)
        assert said.out.startswith(f"Wrote {count} events"), options
        key.write_text(admitone("audit", "key").out)
        beside = f"{out}.checkpoint"
        proved = admitone(
            "audit", "verify-export", str(out), "--checkpoint", beside, "--key", str(key)
        )
        assert proved.out.startswith(f"Proved: {count} events"), options


def test_accesses_are_listed_and_listing_them_is_an_access_too(
    admitone: Command, desk: Desk
) -> None:
    link_id = desk.new_link()
    admitone("audit", "replay", str(link_id))
    replayed = admitone("audit", "accesses").out.splitlines()
    assert replayed[0].endswith("  accesses")
    assert replayed[1].endswith(f"  replay {link_id} as of now")


def test_replay_is_refused_if_the_access_cannot_be_recorded(
    admitone: Command, desk: Desk, conninfo: str
) -> None:
    link_id = desk.new_link()
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("ALTER TABLE audit_accesses ADD CONSTRAINT full_up CHECK (id < 0) NOT VALID")
        try:
            sentence = refusal(admitone("audit", "replay", str(link_id)))
            assert sentence.startswith("The service can't answer right now")
        finally:
            conn.execute("ALTER TABLE audit_accesses DROP CONSTRAINT full_up")
