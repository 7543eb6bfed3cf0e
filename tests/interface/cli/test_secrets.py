"""`admitone secrets` on keys that nothing was signed with."""

from pathlib import Path

import pytest

from tests.support.command_line import Command, refusal


@pytest.fixture(autouse=True)
def _keys_in_a_file(admitone: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADMITONE_SECRET_KEYS")


def listed(admitone: Command) -> list[list[str]]:
    """Returns the words of each line of the list."""
    return [line.split() for line in admitone("secrets", "list").out.splitlines()]


def test_a_key_that_nothing_uses_is_dropped(admitone: Command, tmp_path: Path) -> None:
    (tmp_path / "secret_keys").write_text("the-first-key-of-this-service-is-a-long-one\n")
    for _ in range(2):
        assert admitone("secrets", "rotate", "secret").status == 0
    before = listed(admitone)
    assert [line[2:] for line in before] == [
        ["signs", "not", "in", "use", "yet"],
        *[["is", "accepted", "not", "in", "use", "yet"]] * 2,
    ]
    unused = before[1][1]
    done = admitone("secrets", "drop", unused, "--yes")
    assert (done.status, done.out) == (0, f"Dropped {unused}. Restart the service.\n")
    assert listed(admitone) == [before[0], before[2]]
    assert len((tmp_path / "secret_keys").read_text().split()) == 2


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("secrets", "rotate", "secret"), "There is no secret key in {}/secret_keys."),
        (("secrets", "rotate", "audit"), "There is no audit key in {}/audit_key."),
        (("audit", "key"), "There is no audit key in {}/audit_key."),
    ],
)
def test_a_command_about_keys_makes_none_where_no_service_has_been(
    admitone: Command, tmp_path: Path, arguments: tuple[str, ...], what: str
) -> None:
    """Its user would take them for those of the service that runs elsewhere."""
    assert refusal(admitone(*arguments)) == (
        f"{what.format(tmp_path)} Give the command the settings of the service, or start the"
        " service there first."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_there_is_not_can_t_be_dropped(admitone: Command, tmp_path: Path) -> None:
    done = admitone("secrets", "drop", "0123456789abcdef", "--yes")
    assert refusal(done) == "Error: There is no key with this fingerprint."
    assert list(tmp_path.iterdir()) == []
