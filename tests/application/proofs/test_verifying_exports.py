"""Exports of the log are proved, and every change of one is refused."""

import json
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.proofs import verifier
from application.proofs.verifier import (
    Checkpoint,
    ProofError,
    export_header,
    leaf_bytes,
    leaf_hash,
    verify_export,
)
from tests.application.proofs.example_exports import KEY, OTHER, SIGNER, event, exported
from tests.application.proofs.merkle_by_definition import leaves, root_by_definition
from tests.support.examples import NOW

WHOLE = exported(range(7))
PART = exported(range(2, 5))


def refusal(lines: list[bytes], checkpoint: str = PART.checkpoint, key: str = KEY) -> str:
    """Why these lines prove nothing."""
    with pytest.raises(ProofError) as refused:
        verify_export(lines, checkpoint, key)
    return str(refused.value)


@pytest.mark.parametrize(
    "indices", [range(7), range(2, 5), range(6, 7), range(3, 3), range(7, 7)], ids=str
)
def test_an_export_of_any_part_of_the_log_is_proved(indices: range) -> None:
    export = exported(indices)
    signed, found = verify_export(iter(export.lines), export.checkpoint, KEY)
    assert (signed.size, signed.position, found) == (7, 15, indices)


def test_an_export_of_an_empty_log_is_proved() -> None:
    export = exported(range(0), size=0)
    assert verify_export(export.lines, export.checkpoint, KEY)[1] == range(0)


def test_the_examples_in_the_readme_are_real() -> None:
    readme = (Path(verifier.__file__).parents[1] / "README.md").read_text()
    assert PART.lines[0].decode() in readme
    assert Checkpoint(SIGNER.name, 7, bytes(range(32)), 12, NOW).text() in readme


def test_a_line_is_json_that_anyone_can_read() -> None:
    header, first, *_ = (json.loads(line) for line in PART.lines)
    assert header == {
        "format": "admitone-export/1",
        "origin": "admitone.example.org",
        "size": 7,
        "from_index": 2,
        "count": 3,
    }
    assert first == {
        "index": 2,
        "position": 7,
        "recorded_at": "2026-11-23T08:00:00.000002Z",
        "topic": "link.issued",
        "id": "11110000-0000-4000-8000-000000000006",
        "version": 1,
        "state": event(2)[5].decode(),
        "leaf_hash": leaf_hash(leaf_bytes(*event(2))).hex(),
        "proof": first["proof"],
    }


def test_an_export_with_any_bit_changed_is_refused() -> None:
    export = exported(range(2, 3), size=3)
    verify_export(export.lines, export.checkpoint, KEY)
    for number, line in enumerate(export.lines):
        for bit in range(8 * len(line)):
            changed = bytearray(line)
            changed[bit // 8] ^= 1 << bit % 8
            lines = [*export.lines[:number], bytes(changed), *export.lines[number + 1 :]]
            refusal(lines, export.checkpoint)


def test_an_export_cut_off_anywhere_is_refused() -> None:
    whole = b"".join(PART.lines)
    for end in range(len(whole)):
        refusal(whole[:end].splitlines(keepends=True))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=3,
)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_an_export_with_any_field_changed_added_or_left_out_is_refused(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 3))
    record = json.loads(PART.lines[number])
    field = data.draw(st.sampled_from(sorted(record)) | st.text())
    like_it = st.sampled_from([json.loads(line).get(field) for line in WHOLE.lines])
    changed: dict[str, Any] = record | {field: data.draw(json_values | like_it)}
    if data.draw(st.booleans()):
        changed = {name: value for name, value in record.items() if name != field}
    line = json.dumps(changed, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    if line != PART.lines[number]:
        refusal([*PART.lines[:number], line, *PART.lines[number + 1 :]])


@settings(deadline=None)
@given(st.integers(0, 3), st.binary())
def test_any_other_line_is_refused(number: int, line: bytes) -> None:
    refusal([*PART.lines[:number], line, *PART.lines[number + 1 :]])


@pytest.mark.parametrize(
    ("written", "other"),
    [
        (b'"version":1', b'"version":true'),
        (b'"version":1', b'"version":1.0'),
        (b'"version":1', b'"version":"1"'),
        (b'"version":1', b'"version":1,"version":1'),
        (b'"version":1', b'"version": 1'),
        (b'"version":1', b'"version":-1'),
        (b'"version":1', b'"version":18446744073709551616'),
        (b'"version":1', b'"version":1e999'),
        (b'"version":1', b'"version":' + b"[" * 100_000),
        (b'"version":1', b'"version":' + b"9" * 10_000),
        (b'"version":1', b'"version":1,"note":""'),
        (b"\xf0\x9f\x8e\x9f", b"\\ud83c\\udf9f"),
        (b"\xf0\x9f\x8e\x9f", b"\\ud83c"),
        (b"\xf0\x9f\x8e\x9f", b"\xed\xa0\xbc"),
        (b"000002Z", b"000002+00:00"),
        (b"T08:00", b" 08:00"),
        (b"2026-11-23", b"1969-11-23"),
        (b"}\n", b"}"),
        (b"}\n", b"}\r\n"),
        (b"}\n", b"} \n"),
    ],
)
def test_any_other_spelling_of_the_same_line_is_refused(written: bytes, other: bytes) -> None:
    line = PART.lines[1].replace(written, other)
    assert line != PART.lines[1]
    refusal([PART.lines[0], line, *PART.lines[2:]])


HEADER, TWO, THREE, FOUR = PART.lines
CHANGED = THREE.replace(b"link.issued", b"link.revoked")
UNPROVED = THREE.replace(json.loads(THREE)["proof"][0].encode(), b"0" * 64)
CUT_OFF = "missing, cut off or malformed"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            [HEADER, TWO, CHANGED, CHANGED],
            "position 9: the event does not match its leaf hash",
        ),
        ([HEADER, TWO, UNPROVED, FOUR], "position 9: the proof does not lead to the root"),
        ([HEADER, TWO, b"{}\n", FOUR], f"after position 7: {CUT_OFF}"),
        ([HEADER, TWO], f"after position 7: {CUT_OFF}"),
        ([HEADER, TWO, FOUR, THREE], "position 11: index 4 instead of 3"),
        ([HEADER, TWO, TWO, THREE, FOUR], "position 7: index 2 instead of 3"),
        ([*PART.lines, FOUR], "after position 11: an unexpected line"),
        ([*PART.lines, b"\n"], "after position 11: an unexpected line"),
        ([], f"header: {CUT_OFF}"),
        ([TWO, THREE, FOUR], f"header: {CUT_OFF}"),
    ],
)
def test_the_first_position_at_fault_is_named_with_the_reason(
    lines: list[bytes], reason: str
) -> None:
    assert refusal(lines) == reason


@pytest.mark.parametrize("indices", [range(5, 9), range(-1, 2), range(8, 8)], ids=str)
def test_a_header_that_names_leaves_outside_the_tree_is_refused(indices: range) -> None:
    assert refusal([export_header(SIGNER.name, 7, indices)]).startswith("header: not leaves")


def test_an_export_is_refused_against_the_checkpoint_of_another_size() -> None:
    for size in (6, 8):
        assert refusal(PART.lines, exported(range(1), size).checkpoint) == (
            f"header: not leaves of the tree of {size} of admitone.example.org"
        )


def test_an_export_is_refused_when_another_signed_or_nobody() -> None:
    assert "not signed with this key" in refusal(PART.lines, key=OTHER.verifier_key())
    root = root_by_definition(leaves(7))
    assert "does not lead" in refusal(PART.lines, SIGNER.sign(7, root, 15, NOW))
    assert "not a signed note" in refusal(PART.lines, PART.checkpoint.partition("—")[0])


def test_positions_that_do_not_rise_are_refused_even_if_signed() -> None:
    export = exported(range(2), size=2, numbers=[4, 1])
    assert refusal(export.lines, export.checkpoint) == "position 5: comes after position 11"


def test_the_last_event_has_the_position_that_was_signed() -> None:
    export = exported(range(7), position=17)
    assert refusal(export.lines, export.checkpoint) == (
        "position 15: the last event, which by the checkpoint is at position 17"
    )


def test_reading_stops_at_the_first_fault() -> None:
    lines = iter([*PART.lines[:2], *repeat(PART.lines[1], 3)])
    with pytest.raises(ProofError):
        verify_export(lines, PART.checkpoint, KEY)
    assert len(list(lines)) == 2
