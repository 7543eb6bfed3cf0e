"""Checkpoints: signing, reading, and refusing every change."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.proofs.checkpoint_signer import CheckpointSigner, key_of_security_log
from application.proofs.verifier import (
    EMPTY_ROOT,
    Checkpoint,
    ProofError,
    open_note,
    parse_key,
    verify_checkpoint,
)
from tests.application.proofs.merkle_vectors import (
    GO_KEY,
    GO_NOTE,
    GO_PRIVATE_KEY,
    GO_TEXT,
    SUMDB_KEY,
    SUMDB_NOTE,
    SUMDB_TEXT,
)
from tests.support.examples import NOW

NAME = "admitone.example.org/log"
ROOT = bytes(range(32))
signer = CheckpointSigner(NAME, b"s" * 32)
other = CheckpointSigner(NAME, b"o" * 32)
KEY = signer.verifier_key()
CHECKPOINT = signer.sign(7, ROOT, 12, NOW)


def test_a_checkpoint_holds_what_was_signed() -> None:
    assert CHECKPOINT.startswith(
        f"{NAME}\n"
        "7\n"
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        "position 12\n"
        "time 2026-11-23T08:00:00.000000Z\n"
        "\n"
        f"— {NAME} "
    )
    assert verify_checkpoint(CHECKPOINT, KEY) == Checkpoint(NAME, 7, ROOT, 12, NOW)


def test_the_empty_tree_can_be_signed() -> None:
    assert verify_checkpoint(signer.sign(0, EMPTY_ROOT, 0, NOW), KEY).size == 0


def test_a_time_of_another_zone_is_signed_as_that_moment_in_utc() -> None:
    local = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert signer.sign(7, ROOT, 12, local) == CHECKPOINT


def test_notes_and_keys_equal_those_of_gos_implementation() -> None:
    go = CheckpointSigner.parse(GO_PRIVATE_KEY)
    assert go.private_key() == GO_PRIVATE_KEY
    assert go.verifier_key() == GO_KEY
    assert go.sign_note(GO_TEXT) == GO_NOTE
    assert open_note(GO_NOTE, GO_KEY) == GO_TEXT


def test_a_checkpoint_that_sum_golang_org_signed_is_read() -> None:
    assert open_note(SUMDB_NOTE, SUMDB_KEY) == SUMDB_TEXT


def test_a_key_is_read_from_the_text_it_is_written_as() -> None:
    assert CheckpointSigner.parse(signer.private_key()).sign(7, ROOT, 12, NOW) == CHECKPOINT
    assert parse_key(KEY)[0] == NAME


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb", "tab\t", "\u00a0", "é", "\x7f"])
def test_a_name_that_would_confuse_notes_is_refused(name: str) -> None:
    with pytest.raises(ProofError, match="cannot name a key"):
        CheckpointSigner(name, b"s" * 32)


@pytest.mark.parametrize(
    ("size", "root", "position"), [(-1, ROOT, 12), (7, ROOT[:-1], 12), (7, b"", 12), (7, ROOT, -1)]
)
def test_a_checkpoint_that_could_not_be_read_is_not_signed(
    size: int, root: bytes, position: int
) -> None:
    with pytest.raises(ProofError, match="not origin, size, root, position and time"):
        signer.sign(size, root, position, NOW)


def with_each_bit_changed(text: str) -> Iterator[str]:
    """Yields the text with each bit changed, as long as it is still UTF-8."""
    data = text.encode()
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with suppress(UnicodeDecodeError):
            yield changed.decode()


def test_a_checkpoint_with_any_bit_changed_is_refused() -> None:
    for changed in with_each_bit_changed(CHECKPOINT):
        with pytest.raises(ProofError):
            verify_checkpoint(changed, KEY)


def test_a_key_with_any_bit_changed_is_refused() -> None:
    for changed in with_each_bit_changed(KEY):
        with pytest.raises(ProofError):
            parse_key(changed)
        with pytest.raises(ProofError):
            verify_checkpoint(CHECKPOINT, changed)


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}=", f" {KEY}", KEY.replace("+A", "+!A")])
def test_a_key_has_one_spelling(key: str) -> None:
    assert key != KEY
    with pytest.raises(ProofError, match="not name"):
        parse_key(key)


def test_a_private_key_with_any_bit_changed_is_refused_and_not_repeated() -> None:
    for changed in with_each_bit_changed(signer.private_key()):
        with pytest.raises(ProofError) as refusal:
            CheckpointSigner.parse(changed)
        assert changed.rpartition("+")[2] not in str(refusal.value)


@settings(deadline=None)
@given(st.integers(0, len(CHECKPOINT)), st.integers(0, len(CHECKPOINT)), st.text(max_size=3))
def test_a_checkpoint_with_any_part_replaced_is_refused(start: int, end: int, text: str) -> None:
    changed = CHECKPOINT[:start] + text + CHECKPOINT[max(start, end) :]
    if changed != CHECKPOINT:
        with pytest.raises(ProofError):
            verify_checkpoint(changed, KEY)


@settings(deadline=None)
@given(st.text())
def test_any_other_text_is_neither_checkpoint_nor_key(text: str) -> None:
    for read in (
        lambda: verify_checkpoint(text, KEY),
        lambda: parse_key(text),
        lambda: CheckpointSigner.parse(text),
    ):
        with pytest.raises(ProofError):
            read()


def test_the_key_of_another_is_refused_even_under_the_same_name() -> None:
    with pytest.raises(ProofError, match="not signed with this key"):
        verify_checkpoint(CHECKPOINT, other.verifier_key())


def test_signatures_of_other_keys_are_ignored() -> None:
    witnessed = CHECKPOINT + "".join(
        f"{CheckpointSigner(name, b'w' * 32).sign_note('').lstrip()}"
        for name in (NAME, "witness.example")
    )
    assert witnessed.count("— ") == 3
    assert verify_checkpoint(witnessed, KEY).size == 7


def test_a_false_second_signature_of_the_log_is_refused() -> None:
    false = signer.sign(8, ROOT, 12, NOW).partition("\n\n")[2]
    with pytest.raises(ProofError, match="false or malformed"):
        verify_checkpoint(CHECKPOINT + false, KEY)


def test_a_checkpoint_of_the_security_log_is_none_of_the_log_of_events() -> None:
    checkpoint = signer.of_security_log().sign(7, ROOT, 12, NOW)
    assert verify_checkpoint(checkpoint, key_of_security_log(KEY)).size == 7
    with pytest.raises(ProofError, match="not signed with this key"):
        verify_checkpoint(checkpoint, KEY)


def test_the_log_signs_under_its_own_origin_only() -> None:
    text = Checkpoint("another.example.org", 7, ROOT, 12, NOW).text()
    with pytest.raises(ProofError, match="another log"):
        verify_checkpoint(signer.sign_note(text), KEY)


@pytest.mark.parametrize("control", ["\0", "\t", "\v", "\r", "\x1f"])
def test_a_note_has_no_control_characters(control: str) -> None:
    with pytest.raises(ProofError, match="not a signed note"):
        open_note(signer.sign_note(f"one{control}\n"), KEY)


BODY = CHECKPOINT.partition("\n\n")[0] + "\n"


@pytest.mark.parametrize(
    "text",
    [
        BODY.replace("\n7\n", "\n07\n"),
        BODY.replace("\n7\n", "\n+7\n"),
        BODY.replace("\n7\n", "\n-7\n"),
        BODY.replace("\n7\n", "\n٧\n"),
        BODY.replace("position 12", "position  12"),
        BODY.replace("position 12", "position -12"),
        BODY.replace("position 12\n", ""),
        BODY.replace("Hh8=", "Hh9="),
        BODY.replace("Hh8=", "Hh8"),
        BODY.replace("AAEC", "AA EC"),
        BODY.replace("AAECAwQF", ""),
        BODY.replace(".000000Z", "Z"),
        BODY.replace(".000000Z", ".000000+00:00"),
        BODY.replace(".000000Z", ".000000"),
        BODY.replace("2026-11-23T08:00:00.000000Z", "0001-01-01T00:00:00.000000+01:00"),
        BODY + "more\n",
        f"\n{BODY}",
        BODY.partition("\n")[2],
    ],
)
def test_only_one_spelling_is_a_checkpoint_whoever_signed_it(text: str) -> None:
    with pytest.raises(ProofError, match="not origin, size, root, position and time"):
        verify_checkpoint(signer.sign_note(text), KEY)
